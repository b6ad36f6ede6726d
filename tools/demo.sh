#!/bin/sh
# The whole way on data of our own: draw pictures, train a small network on them, quantise it to 8 bits and, with
# fine-tuning, to 4, and run both verified on the simulated chip. Ends with a table.
# Usage: demo.sh TESSERA FOLDER
set -eu
tessera=$1
folder=$2
data=$folder/data
rm -rf "$folder"
mkdir -p "$folder"

# Shows a command, runs it, and keeps what it prints in $folder/NAME.log.
show() {
    log=$folder/$1.log
    shift
    echo "\$ tessera $*"
    "$tessera" "$@" >"$log" 2>&1 || { status=$?; cat "$log"; exit "$status"; }
    cat "$log"
    echo
}

show data generate glyphs -o "$data"
show net generate float-ds -o "$folder/net.onnx"
show train train "$folder/net.onnx" --data "$data/train.json" --eval "$data/test.json" --epochs 6 --rate 4e-3 -o "$folder/float.onnx"
show int8 quantize "$folder/float.onnx" --calib "$data/train.json" --eval "$data/test.json" \
    --report --json "$folder/int8.quantised.json" -o "$folder/int8.onnx"
show ptq4 quantize "$folder/float.onnx" --calib "$data/train.json" --eval "$data/test.json" --bits w4a4
show int4 quantize "$folder/float.onnx" --calib "$data/train.json" --eval "$data/test.json" --bits w4a4 \
    --finetune "$data/train.json" --epochs 3 --rate 1e-3 -o "$folder/int4.onnx"
show chip eval "$folder/int8.onnx" --data "$data/test.json" --limit 20 --target gap8
show run8 run "$folder/int8.onnx" --target gap8 --json "$folder/int8.run.json" --timeline "$folder/int8.trace.json"
show page report "$folder/int8.run.json" --quantised "$folder/int8.quantised.json" -o "$folder/report.html"
show run4 run "$folder/int4.onnx" --target gap8

# top NAME STAGE: the accuracy that a stage printed.
top() {
    sed -n "s/^$2: .*top-1 \([0-9.]*\) %.*/\1/p" "$folder/$1.log"
}

# What `run` said of the whole network.
cost() {
    cycles=$(sed -n 's/^cycles  *\([0-9]*\).*/\1/p' "$folder/$1.log")
    energy=$(sed -n 's/^time .*energy \([0-9.]*\) mJ.*/\1/p' "$folder/$1.log")
    image=$(sed -n 's/^memory .*L3 image \([0-9]*\).*/\1/p' "$folder/$1.log")
    printf '%10s %10s %12s' "$cycles" "$energy" "$image"
}

row() {
    printf '%-24s %8s %8s %8s %8s' "$1" "$(top "$2" fp)" "$(top "$2" fq)" "$(top "$2" qd)" "$(top "$2" id)"
}

printf '%-24s %8s %8s %8s %8s %10s %10s %12s\n' "top-1, % of 2000" float fq qd integer cycles "mJ (est.)" "image bytes"
row "8 bits" int8
cost run8
echo
row "4 bits, calibrated" ptq4
echo
row "4 bits, fine-tuned" int4
cost run4
echo
echo "the page about the 8-bit network: $folder/report.html"
