/*
 * mem: allocation with one policy. Out of memory ends the process with a line on stderr: every size that a
 * client can choose is bounded before it gets here, and a job that was running is delivered again. What these
 * return is released with free().
 */
#ifndef JOBGATE_MEM_H
#define JOBGATE_MEM_H

#include "common/base/base.h"

void *mem_alloc(size_t size);               /* not initialised */
void *mem_zalloc(size_t size);              /* zeroed */
void *mem_array(size_t count, size_t size); /* zeroed; an overflowing product ends the process too */
void *mem_realloc(void *p, size_t size);
char *mem_strdup(const char *text);
void *mem_dup(const void *data, size_t size);

#endif
