/*
 * version: which build this is.
 */
#ifndef JOBGATE_VERSION_H
#define JOBGATE_VERSION_H

/* What `git describe` said of the sources, or what the packager set as VERSION. Static storage. */
const char *version_text(void);

#endif
