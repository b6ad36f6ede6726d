# A screenful over Meson: `make` builds build/tessera, `make demo` shows it, `make check` proves it.
.PHONY: all setup setup-browser demo check check-clang bench format clean

TESSERA = build/tessera

all: build/build.ninja
	ninja -C build

build/build.ninja:
	meson setup build

setup:
	sh tools/setup.sh

# Also Chromium and playwright-core, without which `make check` skips the report's test in a browser, and says so.
setup-browser:
	sh tools/setup.sh --browser

# Sets up, builds, draws pictures, trains a network on them, quantises it, and runs it verified on the simulated chip.
demo: setup
	@$(MAKE) --no-print-directory all
	sh tools/demo.sh $(TESSERA) build/demo

# Sets up, builds with the address and undefined-behaviour sanitizers and without, runs every test. Under the
# sanitizers gcc warns of what cannot happen, so warnings are errors in the other builds only; of debugging
# information, the lines for their reports are enough; and what gcc optimises at -O2 beyond -Og takes it three to
# six times longer, which the tests do not win back (what computes much is at -O3 in either build).
check: setup
	@$(MAKE) --no-print-directory all
	@test -f build-check/build.ninja || meson setup build-check -Dwerror=false -Db_sanitize=address,undefined -Db_lundef=false -Doptimization=g -Dc_args=-g1
	sh tools/check.sh build-check build

# The tables of docs/performance.md: ours beside what was published.
bench: all
	ninja -C build bench-simulator
	ninja -C build bench-kernels
	ninja -C build bench-networks
	ninja -C build bench-cortexm

# The same sources under clang's warnings.
check-clang: setup
	@test -f build-clang/build.ninja || CC=clang meson setup build-clang
	ninja -C build-clang

format:
	find src include device tests tools fuzz bench examples -name '*.[ch]' | xargs clang-format -i

clean:
	rm -rf build build-check build-clang
