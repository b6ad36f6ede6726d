#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "emit/internal.h"

/* A kernel's own source files, below device/kernels, separated by spaces. */
typedef struct kernel_source {
    const char *name;
    const char *tile; /* the struct that it is told */
    const char *sources;
} kernel_source;

static const kernel_source kernel_sources[] = {
#define TS_EVERY_ISA
#define TS_CONV_KERNEL(name, isa, twin, sources)   {#name, "ts_conv_tile", sources},
#define TS_ADD_KERNEL(name, isa, twin, sources)    {#name, "ts_add_tile", sources},
#define TS_MATMUL_KERNEL(name, isa, twin, sources) {#name, "ts_matmul_tile", sources},
#include "../../device/kernels/kernels.def"
};

enum { KERNELS = sizeof kernel_sources / sizeof kernel_sources[0] };

typedef struct program {
    ts_app *app;
    ts_arena *arena;
    const ts_emitted *networks;
    uint32_t count;
    const ts_target *target;
    const ts_emit_options *options;
    const char *platform;
    bool host, self_check;
    bool near;                    /* fewer than three levels of memory, one core: hal/near */
    bool board;                   /* near, without a C library */
    TS_VEC(const char *) sources; /* what is compiled, in the order of the build files */
} program;

static void add_text(const program *p, const char *path, const ts_text *text) {
    ts_app_add(p->app, path, text->data, text->size);
}

/* ---- device sources ------------------------------------------------------------------------------- */

static const ts_embedded *find_device(const program *p, const char *from, const char *name) {
    const char *slash = strrchr(from, '/');
    const char *beside =
        slash == NULL ? name : ts_arena_printf(p->arena, "%.*s/%s", (int)(slash - from), from, name);
    const ts_embedded *file = ts_embedded_find(ts__embedded_device, beside);
    if (file == NULL) {
        file = ts_embedded_find(ts__embedded_device, name);
    }
    if (file == NULL) {
        file =
            ts_embedded_find(ts__embedded_device, ts_arena_printf(p->arena, "hal/%s/%s", p->platform, name));
    }
    if (file == NULL && p->near) {
        file = ts_embedded_find(ts__embedded_device, ts_arena_printf(p->arena, "hal/near/%s", name));
    }
    return file;
}

static bool has_file(const ts_app *app, const char *path) {
    for (uint32_t i = 0; i < app->files.count; i++) {
        if (strcmp(app->files.data[i].path, path) == 0) {
            return true;
        }
    }
    return false;
}

static void add_device(const program *p, const ts_embedded *file);

/* Follows the `#include "..."` lines of a device source; what is not under device/ is generated. */
static void add_included(const program *p, const ts_embedded *file) {
    static const char mark[] = "#include \"";
    const char *at = (const char *)file->data;
    while ((at = strstr(at, mark)) != NULL) {
        at += sizeof mark - 1;
        const char *end = strchr(at, '"');
        if (end == NULL) {
            return;
        }
        const ts_embedded *found =
            find_device(p, file->name, ts_arena_printf(p->arena, "%.*s", (int)(end - at), at));
        if (found != NULL) {
            add_device(p, found);
        }
    }
}

static void add_device(const program *p, const ts_embedded *file) {
    if (!has_file(p->app, file->name)) {
        ts_app_add(p->app, file->name, file->data, file->size);
        add_included(p, file);
    }
}

static void add_source(program *p, const char *path) {
    const ts_embedded *file = ts_embedded_find(ts__embedded_device, path);
    TS_ASSERT(file != NULL, path);
    for (uint32_t i = 0; i < p->sources.count; i++) {
        if (strcmp(p->sources.data[i], path) == 0) {
            return;
        }
    }
    TS_PUSH(p->arena, &p->sources, path);
    add_device(p, file);
}

static bool is_source(const char *path) {
    const char *dot = strrchr(path, '.');
    return dot != NULL && (strcmp(dot, ".c") == 0 || strcmp(dot, ".S") == 0);
}

static void add_hal(program *p) {
    const char *folder = ts_arena_printf(p->arena, "hal/%s/", p->platform);
    for (const ts_embedded *file = ts__embedded_device; file->name != NULL; file++) {
        if (strncmp(file->name, folder, strlen(folder)) == 0) {
            if (is_source(file->name)) {
                add_source(p, file->name);
            } else {
                add_device(p, file);
            }
        }
    }
}

/* What programs of chips with one core share. */
static void add_near(program *p) {
    add_device(p, ts_embedded_find(ts__embedded_device, "hal/dma.h"));
    add_device(p, ts_embedded_find(ts__embedded_device, "hal/team.h"));
    if (p->board) {
        add_source(p, "hal/near/mem.c");
        add_source(p, "hal/near/semihost.c");
    }
}

static bool uses_kernel(const program *p, const char *name) {
    for (uint32_t n = 0; n < p->count; n++) {
        const ts_plan *plan = p->networks[n].plan;
        for (uint32_t i = 0; i < plan->layer_count; i++) {
            if (strcmp(plan->layer_plans[i].kernel->name, name) == 0) {
                return true;
            }
        }
    }
    return false;
}

/* The kernels in use, and a kernels.h that declares them and no others. */
static void add_kernels(program *p) {
    ts_text header = {.arena = p->arena};
    ts__comment(&header, 0, "The kernels that this program uses.");
    ts_text_add(&header,
                "#ifndef TS_KERNELS_KERNELS_H\n#define TS_KERNELS_KERNELS_H\n\n#include \"tile.h\"\n\n");
    for (uint32_t i = 0; i < KERNELS; i++) {
        const kernel_source *k = &kernel_sources[i];
        if (!uses_kernel(p, k->name)) {
            continue;
        }
        ts_text_printf(&header, "void %s(const struct %s *tile);\n", k->name, k->tile);
        char *list = ts_arena_strdup(p->arena, k->sources), *rest = NULL;
        for (char *word = strtok_r(list, " ", &rest); word != NULL; word = strtok_r(NULL, " ", &rest)) {
            add_source(p, ts_arena_printf(p->arena, "kernels/%s", word));
        }
    }
    if (uses_kernel(p, "move")) {
        add_source(p, p->near ? "runtime/move_near.c" : "runtime/move.c");
    }
    if (!p->near) {
        add_source(p, "runtime/fetch.c");
    }
    ts_text_add(&header, "\n#endif\n");
    add_text(p, "kernels/kernels.h", &header);
    add_device(p, ts_embedded_find(ts__embedded_device, "kernels/tile.h"));
    add_device(p, ts_embedded_find(ts__embedded_device, "kernels/border.h"));
}

/* ---- app.h and the embedded data ------------------------------------------------------------------ */

static const char *network_path(const program *p, const ts_emitted *network, const char *file) {
    const char *folder = network->folder;
    bool bare = *folder == '\0' || folder[strlen(folder) - 1] == '/';
    return ts_arena_printf(p->arena, "%s%s%s", folder, bare ? "" : "/", file);
}

/* The most that one of the networks needs of each memory. */
static void add_memory_sizes(const program *p, ts_text *out) {
    uint64_t l1 = 0, l2 = 0;
    for (uint32_t i = 0; i < p->count; i++) {
        l1 = p->networks[i].l1_bytes > l1 ? p->networks[i].l1_bytes : l1;
        l2 = p->networks[i].l2_bytes > l2 ? p->networks[i].l2_bytes : l2;
    }
    ts_text_printf(
        out, "\n/* The most that a network needs of each level. */\n#define APP_L2_BYTES %" PRIu64 "\n", l2);
    if (ts_target_levels(p->target) == 2) {
        ts_text_printf(out, "#define APP_L1_BYTES %" PRIu64 "\n", l1 > 0 ? l1 : 4);
    }
}

static bool is_checked(const program *p) {
    bool checked = false;
    for (uint32_t i = 0; i < p->count; i++) {
        checked |= ts__is_checked(p->networks[i].plan);
    }
    return checked;
}

static void add_app_h(const program *p) {
    ts_text out = {.arena = p->arena};
    ts__comment(&out, 0, "What main.c runs.");
    ts_text_add(&out, "#ifndef APP_H\n#define APP_H\n\n");
    for (uint32_t i = 0; i < p->count; i++) {
        ts_text_printf(&out, "#include \"%s\"\n", network_path(p, &p->networks[i], "network.h"));
    }
    ts_text_add(&out, "\n#define APP_NETWORKS");
    for (uint32_t i = 0; i < p->count; i++) {
        ts_text_printf(&out, "%s \\\n    &%s_network", i == 0 ? "" : ",", p->networks[i].prefix);
    }
    ts_text_add(&out, "\n");
    if (p->near) {
        add_memory_sizes(p, &out);
    }
    if (ts_target_weights_apart(p->target)) {
        ts_text_printf(
            &out,
            "\n/* The weights have a memory of their own: where it begins on the L3 bus. */\n#define "
            "APP_WEIGHTS_AT 0x%08" PRIx64 "u\n",
            ts_target_weights(p->target)->base);
    }
    if (is_checked(p)) {
        ts_text_add(&out,
                    "\n/* Layers that write outside their buffers are found (runtime/check.h). */\n#define "
                    "APP_CHECK\n");
    }
    if (p->self_check) {
        ts_text_add(
            &out,
            "\n#define APP_SELF_CHECK\n\n/* Checksums of the layers' outputs for the embedded input. */\n"
            "#define APP_EXPECTED_SUMS");
        for (uint32_t i = 0; i < p->networks[0].plan->layer_count; i++) {
            ts_text_printf(&out, "%s%s0x%08" PRIx32, i == 0 ? "" : ",", i % 8 == 0 ? " \\\n    " : " ",
                           p->options->expected_sums[i]);
        }
        ts_text_add(&out, "\n");
    }
    ts_text_add(&out, "\n#endif\n");
    add_text(p, "app.h", &out);
}

static void add_embedded_data(program *p) {
    const ts_emitted *network = &p->networks[0];
    const ts_graph *graph = network->plan->graph;
    uint64_t input_bytes = 0;
    for (uint32_t i = 0; i < graph->inputs.count; i++) {
        input_bytes += ts_emit_map_bytes(&graph->tensors.data[graph->inputs.data[i]]);
    }
    ts_text out = {.arena = p->arena};
    ts__comment(&out, 0,
                "The image of the weights, which start-up copies to L3 (hal/boot.h), and the input.");
    ts_text_printf(&out,
                   "    .section .l3_image, \"a\"\n    .balign 16\n    .globl ts_l3_image\nts_l3_image:\n"
                   "    .incbin \"%s\"\n\n",
                   network_path(p, network, "weights.bin"));
    ts_text_printf(&out,
                   "    .section .rodata\n    .balign 4\n    .globl ts_l3_image_bytes\nts_l3_image_bytes:\n"
                   "    .word %zu\n    .globl app_input\napp_input:\n    .incbin \"input.bin\"\n    .globl "
                   "app_input_end\n"
                   "app_input_end:\n",
                   network->image_size);
    add_text(p, "data.S", &out);
    TS_PUSH(p->arena, &p->sources, "data.S");
    ts_app_add(p->app, "input.bin", p->options->embedded_input, (size_t)input_bytes);
}

/* ---- build files ---------------------------------------------------------------------------------- */

static const char host_make[] =
    "CC = cc\n"
    "CFLAGS = -O2 -Wall -Wextra\n"
    "ALL_CFLAGS = -std=c99 -D_POSIX_C_SOURCE=200809L -pthread $(CFLAGS) -I. -Ihal/host\n"
    "LINK = $(CC) $(CFLAGS) -pthread\n";

/* -misa-spec=2.2: rv32imc then holds the CSR instructions, and the compiler finds the 32-bit libgcc. */
static const char pulp_make[] =
    "CC = riscv64-unknown-elf-gcc\n"
    "CFLAGS = -O2 -Wall -Wextra\n"
    "ARCH = -march=rv32imc -misa-spec=2.2 -mabi=ilp32\n"
    "ALL_CFLAGS = -std=c99 $(ARCH) -ffreestanding -fno-tree-loop-distribute-patterns -mno-relax "
    "-fstack-usage \\\n"
    "    $(CFLAGS) -DTS_CORES=$(CORES) -DTS_RQ_USED=$(RQ_USED) -I. -Ihal/pulp\n"
    "LINK = $(CC) $(ARCH) -nostdlib -T hal/pulp/link.ld -Wl,--gc-sections -Wl,-z,max-page-size=16 \\\n"
    "    -Wl,--no-warn-rwx-segments $(LINK_SIZES)\n"
    "LIBS = -lgcc\n";

static const char generic_make[] =
    "CC = cc\n"
    "AR = ar\n"
    "CFLAGS = -O2 -Wall -Wextra\n"
    "ALL_CFLAGS = -std=c99 $(CFLAGS) -I. -Ihal/generic -Ihal/near\n"
    "LINK = $(CC) $(CFLAGS)\n";

/* The memories of the board that executes it are given to make: FLASH, RAM, OUTER. */
static const char cortexm_make[] =
    "CC = arm-none-eabi-gcc\n"
    "CFLAGS = -O2 -Wall -Wextra\n"
    "ALL_CFLAGS = -std=c99 $(ARCH) -ffreestanding -fno-tree-loop-distribute-patterns -ffunction-sections \\\n"
    "    -fdata-sections $(CFLAGS) -I. $(HAL)\n"
    "LINK = $(CC) $(ARCH) -nostdlib -T hal/cortexm/link.ld -Wl,--gc-sections -Wl,-Map=app.map \\\n"
    "    -Wl,-z,max-page-size=16 -Wl,--no-warn-rwx-segments $(LINK_SIZES)\n"
    "LIBS = -lgcc\n";

static const char riscv32_make[] =
    "CC = riscv64-unknown-elf-gcc\n"
    "CFLAGS = -O2 -Wall -Wextra\n"
    "ALL_CFLAGS = -std=c99 $(ARCH) -ffreestanding -fno-tree-loop-distribute-patterns -mno-relax \\\n"
    "    -ffunction-sections -fdata-sections $(CFLAGS) -I. -Ihal/riscv32 -Ihal/near\n"
    "LINK = $(CC) $(ARCH) -nostdlib -T hal/riscv32/link.ld -Wl,--gc-sections -Wl,-Map=app.map \\\n"
    "    -Wl,-z,max-page-size=16 -Wl,--no-warn-rwx-segments $(LINK_SIZES)\n"
    "LIBS = -lgcc\n";

static const char rules_make[] =
    "OBJECTS = $(SOURCES:%=obj/%.o)\n"
    "\n"
    "$(PROGRAM): $(OBJECTS)\n"
    "\t$(LINK) -o $@ $(OBJECTS) $(LIBS)\n"
    "\n"
    "# Layers are control code, executed once a tile: small rather than fast.\n"
    "obj/%.o: %\n"
    "\t@mkdir -p $(@D)\n"
    "\t$(CC) $(ALL_CFLAGS) $(if $(findstring layers/,$<),-Os) -MMD -c -o $@ $<\n"
    "\n"
    "clean:\n"
    "\trm -rf obj $(PROGRAM)\n"
    "\n"
    ".PHONY: clean\n"
    "-include $(OBJECTS:.o=.d)\n";

static uint64_t level_bytes(const program *p, uint32_t level) {
    const ts_memory *memory = ts_target_level(p->target, level);
    return memory == NULL ? 0 : memory->size_bytes;
}

/* L2 that the program may use; an embedded image lies behind it. */
static uint64_t l2_bytes(const program *p) {
    uint64_t all = level_bytes(p, 2), image = (p->networks[0].image_size + 15) / 16 * 16;
    return p->self_check && p->options->image_inside ? (all - image) / 16 * 16 : all;
}

/* What the compiler is told of a core, and the processors that are known. */
static const struct {
    const char *cpu, *flags;
} cpus[] = {
    {"cortex-m4", "-mcpu=cortex-m4 -mthumb -mfpu=fpv4-sp-d16 -mfloat-abi=hard"},
    {"cortex-m7", "-mcpu=cortex-m7 -mthumb -mfpu=fpv5-d16 -mfloat-abi=hard"},
    {"rv32imc", "-march=rv32imc -misa-spec=2.2 -mabi=ilp32"},
};

static const char *cpu_flags(const program *p) {
    for (size_t i = 0; i < sizeof cpus / sizeof *cpus; i++) {
        if (p->target->cpu != NULL && strcmp(cpus[i].cpu, p->target->cpu) == 0) {
            return cpus[i].flags;
        }
    }
    return NULL;
}

/* The chip's memories, each a variable of make, so that a board that stands for it can have other addresses.
 */
static const char *near_sizes(const program *p) {
    const ts_memory *flash = ts_target_flash(p->target), *ram = ts_target_level(p->target, 1);
    const ts_memory *outer = ts_target_level(p->target, ts_target_levels(p->target));
    return ts_arena_printf(
        p->arena,
        "ARCH = %s\nFLASH = 0x%08" PRIx64 "\nRAM = 0x%08" PRIx64
        "\nOUTER = %s\n"
        "LINK_SIZES = -Wl,--defsym=TS_FLASH=$(FLASH),--defsym=TS_RAM=$(RAM),--defsym=TS_OUTER=$(OUTER) \\\n"
        "    -Wl,--defsym=TS_FLASH_BYTES=%" PRIu64 ",--defsym=TS_RAM_BYTES=%" PRIu64
        ",--defsym=TS_OUTER_BYTES=%" PRIu64 ",--defsym=TS_STACK_BYTES=%u\n",
        cpu_flags(p), flash->base, ram->base,
        outer == ram ? "$(RAM)" : ts_arena_printf(p->arena, "0x%08" PRIx64, outer->base), flash->size_bytes,
        ram->size_bytes, outer->size_bytes, p->target->stack_bytes[0]);
}

/* Cores that the plans were made for: the same for all. */
static uint32_t cores_of(const program *p) { return p->networks[0].plan->options.cores; }

static const char *link_sizes(const program *p) {
    uint32_t stack = 0;
    for (uint32_t n = 0; n < p->count; n++) {
        uint32_t bytes = p->networks[n].plan->options.stack_bytes;
        stack = bytes > stack ? bytes : stack;
    }
    return ts_arena_printf(p->arena,
                           "-Wl,--defsym=TS_L1_BYTES=%" PRIu64 ",--defsym=TS_L2_BYTES=%" PRIu64
                           ",--defsym=TS_TEAM=%u,--defsym=TS_STACK0_BYTES=%u,--defsym=TS_STACK_BYTES=%u"
                           ",--defsym=TS_FC_STACK_BYTES=%u",
                           level_bytes(p, 1), l2_bytes(p), cores_of(p), stack, stack,
                           p->target->fc_stack_bytes);
}

/* Requantisations that the kernels meet (device/kernels/xpulp/used.h). */
static uint32_t rq_used(const program *p) {
    uint32_t used = 0;
    for (uint32_t n = 0; n < p->count; n++) {
        const ts_plan *plan = p->networks[n].plan;
        for (uint32_t i = 0; i < plan->layer_count; i++) {
            const ts_layer *layer = &plan->layers[i];
            bool u8 = layer->y.type == TS_U8 && layer->rq.low == 0 && layer->rq.high == 255;
            bool s8 = layer->y.type == TS_S8 && layer->rq.low == -128 && layer->rq.high == 127;
            bool none = layer->rq.class_ == TS_RQC_NONE;
            used |= 1u << layer->rq.class_ | (none ? 0u : u8 ? 0x10000u : s8 ? 0x20000u : 0x40000u);
        }
    }
    return used;
}

static void list_sources(const program *p, ts_text *out, const char *between) {
    for (uint32_t i = 0; i < p->sources.count; i++) {
        ts_text_printf(out, "%s%s", between, p->sources.data[i]);
    }
    ts_text_add(out, "\n");
}

static bool is_library(const program *p, const char *path) {
    (void)p;
    return strncmp(path, "hal/", 4) != 0 && strncmp(path, "runtime/", 8) != 0;
}

/* Networks and kernels as a library, and the program that proves it. */
static void list_parts(const program *p, ts_text *out) {
    for (uint32_t library = 0; library < 2; library++) {
        ts_text_add(out, library == 0 ? "SOURCES =" : "LIBRARY =");
        for (uint32_t i = 0; i < p->sources.count; i++) {
            if (is_library(p, p->sources.data[i]) == (library == 1)) {
                ts_text_printf(out, " \\\n    %s", p->sources.data[i]);
            }
        }
        ts_text_add(out, "\n");
    }
    ts_text_add(out,
                "\nall: $(PROGRAM)\n\nlibnetwork.a: $(LIBRARY:%=obj/%.o)\n\t$(AR) rcs $@ $^\n\n"
                "$(PROGRAM): libnetwork.a\nLIBS = libnetwork.a\n\n");
}

static const char *platform_make(const program *p) {
    return p->host                               ? host_make
           : !p->near                            ? pulp_make
           : !p->board                           ? generic_make
           : strcmp(p->platform, "riscv32") == 0 ? riscv32_make
                                                 : cortexm_make;
}

/* The driver of the chip's DMA, or NULL. */
static const char *dma_driver(const program *p) {
    bool used = strcmp(p->platform, "cortexm") == 0 && ts_target_levels(p->target) == 2;
    return used ? p->target->dma.driver : NULL;
}

/* The driver's source; its other files are in the folder, too. */
static const char *dma_source(const program *p) {
    const char *folder = ts_arena_printf(p->arena, "hal/%s/", dma_driver(p));
    const ts_embedded *file = ts__embedded_device;
    while (file->name != NULL &&
           !(strncmp(file->name, folder, strlen(folder)) == 0 && is_source(file->name))) {
        file++;
    }
    return file->name;
}

static void add_dma(const program *p) {
    const char *folder = ts_arena_printf(p->arena, "hal/%s/", dma_driver(p));
    for (const ts_embedded *file = ts__embedded_device; file->name != NULL; file++) {
        if (strncmp(file->name, folder, strlen(folder)) == 0) {
            add_device(p, file);
        }
    }
}

/* Where the HAL's headers are found; those of a driver stand before the copies by the core. */
static void add_hal_paths(const program *p, ts_text *out) {
    const char *dma = dma_driver(p);
    if (dma == NULL) {
        ts_text_add(out, "HAL = -Ihal/cortexm -Ihal/near\n");
        return;
    }
    ts_text_printf(out,
                   "# DMA=copy: the core copies, where there is no such DMA (QEMU's boards).\nDMA = %s\n"
                   "HAL = -Ihal/cortexm $(if $(filter copy,$(DMA)),,-Ihal/%s) -Ihal/near\n",
                   dma, dma);
}

static void add_makefile(const program *p) {
    const char *name = ts_toolchain_of(p->platform)->program;
    ts_text out = {.arena = p->arena};
    ts_text_printf(&out, "# Builds %s: make, or make CC=... CFLAGS=...\n", name);
    ts_text_printf(&out, "PROGRAM = %s\n", name);
    if (p->board) {
        ts_text_add(&out, near_sizes(p));
    } else if (!p->host && !p->near) {
        ts_text_printf(&out, "CORES = %u\nRQ_USED = 0x%x\nLINK_SIZES = %s\n", cores_of(p), rq_used(p),
                       link_sizes(p));
    }
    if (strcmp(p->platform, "cortexm") == 0) {
        add_hal_paths(p, &out);
    }
    ts_text_add(&out, platform_make(p));
    if (p->near && !p->board) {
        list_parts(p, &out);
    } else {
        ts_text_add(&out, "SOURCES =");
        list_sources(p, &out, " \\\n    ");
    }
    if (dma_driver(p) != NULL) {
        ts_text_printf(&out, "SOURCES += $(if $(filter copy,$(DMA)),,%s)\n", dma_source(p));
    }
    ts_text_add(&out, rules_make);
    if (p->self_check) {
        ts_text_printf(&out, "obj/data.S.o: input.bin %s\n", network_path(p, &p->networks[0], "weights.bin"));
    }
    add_text(p, "Makefile", &out);
}

static void add_board_cmake(const program *p, ts_text *out) {
    bool riscv = strcmp(p->platform, "riscv32") == 0;
    ts_text_printf(out,
                   "cmake_minimum_required(VERSION 3.18)\n# cmake -DCMAKE_C_COMPILER=%s\n"
                   "set(CMAKE_SYSTEM_NAME Generic)\nset(CMAKE_TRY_COMPILE_TARGET_TYPE STATIC_LIBRARY)\n"
                   "project(app C ASM)\nadd_executable(app.elf",
                   ts_toolchain_of(p->platform)->compiler);
    list_sources(p, out, "\n    ");
    const ts_memory *flash = ts_target_flash(p->target), *ram = ts_target_level(p->target, 1);
    const ts_memory *outer = ts_target_level(p->target, ts_target_levels(p->target));
    ts_text_printf(out,
                   ")\nset(ARCH %s)\nset(FLASH 0x%08" PRIx64 " CACHE STRING \"\")\nset(RAM 0x%08" PRIx64
                   " CACHE STRING \"\")\nset(OUTER 0x%08" PRIx64 " CACHE STRING \"\")\n",
                   cpu_flags(p), flash->base, ram->base, outer->base);
    if (dma_driver(p) != NULL) {
        ts_text_printf(out,
                       "# -DDMA=copy: the core copies, where there is no such DMA.\n"
                       "set(DMA %s CACHE STRING \"\")\nif(NOT DMA STREQUAL copy)\n"
                       "    set(DMA_FOLDER hal/%s)\n    target_sources(app.elf PRIVATE %s)\nendif()\n",
                       dma_driver(p), dma_driver(p), dma_source(p));
    }
    ts_text_printf(
        out,
        "target_include_directories(app.elf PRIVATE . hal/%s ${DMA_FOLDER} hal/near)\n"
        "target_compile_options(app.elf PRIVATE ${ARCH} -O2 -Wall -Wextra -ffreestanding\n"
        "    -fno-tree-loop-distribute-patterns -ffunction-sections -fdata-sections%s\n"
        "    $<$<COMPILE_LANGUAGE:C>:-std=c99>)\n"
        "target_link_options(app.elf PRIVATE ${ARCH} -nostdlib -T "
        "${CMAKE_SOURCE_DIR}/hal/%s/link.ld\n"
        "    -Wl,--gc-sections -Wl,--no-warn-rwx-segments -Wl,-z,max-page-size=16 -Wl,-Map=app.map\n"
        "    -Wl,--defsym=TS_FLASH=${FLASH},--defsym=TS_RAM=${RAM},--defsym=TS_OUTER=${OUTER}\n"
        "    -Wl,--defsym=TS_FLASH_BYTES=%" PRIu64 ",--defsym=TS_RAM_BYTES=%" PRIu64
        ",--defsym=TS_OUTER_BYTES=%" PRIu64
        ",--defsym=TS_STACK_BYTES=%u)\n"
        "target_link_libraries(app.elf gcc)\n",
        p->platform, riscv ? " -mno-relax" : "", p->platform, flash->size_bytes, ram->size_bytes,
        outer->size_bytes, p->target->stack_bytes[0]);
}

static void add_generic_cmake(const program *p, ts_text *out) {
    for (uint32_t library = 0; library < 2; library++) {
        ts_text_add(out, library == 1 ? "add_executable(app"
                                      : "cmake_minimum_required(VERSION 3.18)\nproject(network C)\n"
                                        "add_library(network STATIC");
        for (uint32_t i = 0; i < p->sources.count; i++) {
            if (is_library(p, p->sources.data[i]) == (library == 0)) {
                ts_text_printf(out, "\n    %s", p->sources.data[i]);
            }
        }
        ts_text_add(out, ")\n");
    }
    ts_text_add(out,
                "set_property(TARGET app network PROPERTY C_STANDARD 99)\n"
                "target_compile_options(network PRIVATE -O2 -Wall -Wextra)\n"
                "target_include_directories(network PUBLIC . hal/generic hal/near)\n"
                "target_link_libraries(app network)\n");
}

static void add_cmake(const program *p) {
    ts_text out = {.arena = p->arena};
    if (p->near) {
        (p->board ? add_board_cmake : add_generic_cmake)(p, &out);
        add_text(p, "CMakeLists.txt", &out);
        return;
    }
    ts_text_add(&out, "cmake_minimum_required(VERSION 3.18)\n");
    if (p->host) {
        ts_text_add(&out, "project(app C)\nadd_executable(app");
    } else {
        ts_text_add(&out,
                    "# cmake -DCMAKE_C_COMPILER=riscv64-unknown-elf-gcc\n"
                    "set(CMAKE_SYSTEM_NAME Generic)\nset(CMAKE_TRY_COMPILE_TARGET_TYPE STATIC_LIBRARY)\n"
                    "project(app C ASM)\nadd_executable(app.elf");
    }
    list_sources(p, &out, "\n    ");
    ts_text_add(&out, ")\n");
    const char *name = p->host ? "app" : "app.elf";
    ts_text_printf(&out,
                   "get_target_property(layers %s SOURCES)\nlist(FILTER layers INCLUDE REGEX layers/)\n"
                   "set_source_files_properties(${layers} PROPERTIES COMPILE_OPTIONS -Os)\n",
                   name);
    ts_text_printf(&out, "target_include_directories(%s PRIVATE . hal/%s)\n", name, p->platform);
    if (p->host) {
        ts_text_add(&out,
                    "set_property(TARGET app PROPERTY C_STANDARD 99)\n"
                    "find_package(Threads REQUIRED)\ntarget_link_libraries(app Threads::Threads)\n"
                    "target_compile_definitions(app PRIVATE _POSIX_C_SOURCE=200809L)\n"
                    "target_compile_options(app PRIVATE -O2 -Wall -Wextra)\n");
    } else {
        ts_text_printf(
            &out,
            "set(ARCH -march=rv32imc -misa-spec=2.2 -mabi=ilp32)\n"
            "target_compile_definitions(app.elf PRIVATE TS_CORES=%u TS_RQ_USED=0x%x)\n"
            "target_compile_options(app.elf PRIVATE ${ARCH} -O2 -Wall -Wextra -ffreestanding\n"
            "    -fno-tree-loop-distribute-patterns -mno-relax\n"
            "    $<$<COMPILE_LANGUAGE:C>:-std=c99>)\n"
            "target_link_options(app.elf PRIVATE ${ARCH} -nostdlib -T ${CMAKE_SOURCE_DIR}/hal/pulp/link.ld\n"
            "    -Wl,--gc-sections -Wl,-z,max-page-size=16 -Wl,--no-warn-rwx-segments\n    %s)\n"
            "target_link_libraries(app.elf gcc)\n",
            cores_of(p), rq_used(p), link_sizes(p));
        ts_text_add(&out, p->self_check ? "set_source_files_properties(data.S PROPERTIES COMPILE_OPTIONS "
                                          "\"-I${CMAKE_SOURCE_DIR}\")\n"
                                        : "");
    }
    add_text(p, "CMakeLists.txt", &out);
}

static const ts_toolchain toolchains[] = {
    {"host", "cc", "gcc", "app"},
    {"generic", "cc", "gcc", "app"},
    {"pulp", "riscv64-unknown-elf-gcc", "gcc-riscv64-unknown-elf", "app.elf"},
    {"riscv32", "riscv64-unknown-elf-gcc", "gcc-riscv64-unknown-elf", "app.elf"},
    {"cortexm", "arm-none-eabi-gcc", "gcc-arm-none-eabi", "app.elf"},
};

const ts_toolchain *ts_toolchain_of(const char *platform) {
    for (size_t i = 0; i < sizeof toolchains / sizeof *toolchains; i++) {
        if (strcmp(toolchains[i].platform, platform) == 0) {
            return &toolchains[i];
        }
    }
    return NULL;
}

/* Platform and target must suit each other before anything is written. */
static ts_status check_platform(const program *p, ts_diags *diags) {
    if (ts_toolchain_of(p->platform) == NULL) {
        return ts_error(
            diags, TS_DIAG_UNSUPPORTED, NULL, NULL,
            "target '%s': no device/hal/%s is built in; platforms are pulp, cortexm, riscv32, generic "
            "and host",
            p->target->name, p->platform);
    }
    bool of_pulp = strcmp(p->platform, "pulp") == 0;
    if (of_pulp != (ts_target_levels(p->target) == 3) && !p->host) {
        return ts_error(diags, TS_DIAG_UNSUPPORTED, NULL, NULL,
                        "target '%s' has %u levels of memory; platform '%s' has %s", p->target->name,
                        ts_target_levels(p->target), p->platform, of_pulp ? "three" : "one or two");
    }
    enum { FLASH_BASE = 0x40000000 }; /* of device/hal/pulp */
    const ts_memory *weights = ts_target_weights(p->target);
    if (of_pulp && ts_target_weights_apart(p->target) &&
        (weights->base != FLASH_BASE || weights->chip_select != 1)) {
        return ts_error(
            diags, TS_DIAG_UNSUPPORTED, NULL, NULL,
            "target '%s': platform pulp has weights of their own memory at base 1073741824 (0x40000000) and "
            "chip_select 1",
            p->target->name);
    }
    if (dma_driver(p) != NULL && dma_source(p) == NULL) {
        return ts_error(diags, TS_DIAG_UNSUPPORTED, NULL, NULL,
                        "target '%s': no driver device/hal/%s is built in; stm32h7 is", p->target->name,
                        dma_driver(p));
    }
    if (p->board && cpu_flags(p) == NULL) {
        return ts_error(diags, TS_DIAG_UNSUPPORTED, NULL, NULL,
                        "target '%s': its 'cpu' must be cortex-m4, cortex-m7 or rv32imc", p->target->name);
    }
    return TS_OK;
}

ts_status ts_emit_program(ts_app *app, const ts_emitted *networks, uint32_t count, const ts_target *target,
                          const ts_emit_options *options, ts_diags *diags) {
    const char *platform = options->platform != NULL ? options->platform : target->platform;
    program p = {.app = app,
                 .arena = app->arena,
                 .networks = networks,
                 .count = count,
                 .target = target,
                 .options = options,
                 .platform = platform,
                 .host = strcmp(platform, "host") == 0,
                 .self_check = options->embedded_input != NULL};
    p.near = !p.host && strcmp(platform, "pulp") != 0;
    p.board = p.near && strcmp(platform, "generic") != 0;
    TS_ASSERT(count > 0 && (!p.self_check || count == 1), "emit: program");
    TS_TRY(check_platform(&p, diags));
    for (uint32_t n = 0; n < count; n++) {
        const char *folder = network_path(&p, &networks[n], "");
        for (uint32_t i = 0; i < app->files.count; i++) {
            const char *path = app->files.data[i].path;
            const char *rest = path + strlen(folder);
            bool own = strncmp(path, folder, strlen(folder)) == 0 &&
                       (strcmp(rest, "network.c") == 0 || strcmp(rest, "weights.c") == 0 ||
                        strncmp(rest, "layers/", 7) == 0);
            if (own) {
                TS_PUSH(p.arena, &p.sources, path);
            }
        }
    }
    add_kernels(&p);
    const char *main_file = p.host   ? "runtime/main_host.c"
                            : p.near ? "runtime/main_near.c"
                                     : "runtime/main_board.c";
    add_source(&p, main_file);
    if (is_checked(&p)) {
        add_source(&p, "runtime/check.c");
    }
    add_hal(&p);
    if (p.near) {
        add_near(&p);
    }
    if (dma_driver(&p) != NULL) {
        add_dma(&p);
    }
    add_app_h(&p);
    if (p.self_check) {
        add_embedded_data(&p);
    }
    add_makefile(&p);
    add_cmake(&p);
    return TS_OK;
}
