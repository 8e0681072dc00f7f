/*
 * embedded: files that the build put into the program, so that the api serves them by itself. Texts with a
 * NUL behind them.
 */
#ifndef JOBGATE_EMBEDDED_H
#define JOBGATE_EMBEDDED_H

extern const char embedded_contract_json[];
extern const char embedded_docs_html[];
extern const char embedded_docs_js[];
extern const char embedded_docs_css[];

#endif
