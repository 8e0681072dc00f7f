/*
 * limits: what a handler's processes may use. Zero means no limit.
 *
 * The kernel holds some of them for each single process (rlimits); memory, CPU time, the number of processes
 * and the disk are also watched over all processes of a run together (census.h).
 */
#ifndef JOBGATE_LIMITS_H
#define JOBGATE_LIMITS_H

#include "worker/handlers/spec.h"

struct limits {
    int64_t cpu_s;
    int64_t memory_mb;
    int64_t disk_mb;    /* the working directory, and any single file */
    int64_t open_files; /* of one process */
    int64_t processes;
};

/* The names of the fields, as an initialiser's rows. */
#define LIMITS_FIELDS "max_cpu_s", "max_memory_mb", "max_disk_mb", "max_open_files", "max_processes"

void limits_parse(struct spec *s, struct limits *out);

#endif
