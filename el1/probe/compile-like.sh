#!/bin/sh
# compile-like.sh COUNTER RUNS: work of the kind that a build makes in a guest: many short processes, files written and read,
# sorting, matching and packing. Prints the ticks of each run.
counter=$1 runs=$2
folder=/tmp/compile-like

translate() { # one "source file" through four programs
	awk -v n="$1" 'BEGIN { for (i = 0; i < 400; i++) print (i * 7919 + n * 104729) % 65536, "symbol" i % 97 }' >"$folder/$1.c"
	sort -n "$folder/$1.c" >"$folder/$1.i"
	sed 's/symbol\([0-9]*\)/s_\1/' "$folder/$1.i" >"$folder/$1.s"
	gzip -c "$folder/$1.s" >"$folder/$1.o"
}

build() {
	rm -rf "$folder"
	mkdir "$folder"
	for unit in 1 2 3 4 5 6 7 8 9 10 11 12; do translate $unit; done
	cat "$folder"/*.o | gunzip -c | sort -u | md5sum >"$folder/sum"
}

build # what is read for the first time
ticks=
for _ in $(seq "$runs"); do
	start=$($counter)
	build
	end=$($counter)
	ticks="$ticks $((end - start))"
done
echo "probe: call COMPILE_LIKE calls 1 ticks$ticks"
