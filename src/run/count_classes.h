/* Classes of instructions that are counted (count_plugin.c), and what a layer's counts say. */
#ifndef TS_RUN_COUNT_CLASSES_H
#define TS_RUN_COUNT_CLASSES_H

enum ts_count_class {
    TS_COUNT_ALU, /* whatever is none of the others */
    TS_COUNT_MULTIPLY,
    TS_COUNT_DIVIDE,
    TS_COUNT_LOAD,
    TS_COUNT_STORE,
    TS_COUNT_BRANCH,        /* taken or not; calls and returns */
    TS_COUNT_FURTHER_WORDS, /* no instruction: words after the first of multiple loads and stores */
    TS_COUNT_CLASSES
};

#endif
