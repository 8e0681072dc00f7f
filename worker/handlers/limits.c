#include "worker/handlers/limits.h"

enum { MEGABYTES_MAX = 1 << 24, CPU_MAX_S = 64 * 86400, FILES_PRESET = 1024, PROCESSES_PRESET = 256 };

void limits_parse(struct spec *s, struct limits *out)
{
    *out = (struct limits){
        .cpu_s = spec_int(s, "max_cpu_s", 0, 1, CPU_MAX_S),
        .memory_mb = spec_int(s, "max_memory_mb", 0, 1, MEGABYTES_MAX),
        .disk_mb = spec_int(s, "max_disk_mb", 0, 1, MEGABYTES_MAX),
        .open_files = spec_int(s, "max_open_files", FILES_PRESET, 16, 1 << 20),
        .processes = spec_int(s, "max_processes", PROCESSES_PRESET, 1, 1 << 20),
    };
}
