// What the programs know, read from their own tables.
import { readFileSync } from 'node:fs';

const rows = (file, pattern) => [...readFileSync(file, 'utf8').matchAll(pattern)];

/** The names that a program ('API' or 'WORKER') takes from its environment. A secret also comes as NAME_FILE. */
export function settingsOf(program) {
    const names = new Map();
    for (const [, name, kind, who] of rows(
        'common/base/config.def',
        /^CONFIG\(\w+,\s*"(\w+)",\s*(\w+),[\s\S]*?\bFOR_(\w+),/gm,
    )) {
        if (who !== 'BOTH' && who !== program) continue;
        names.set(name, kind);
        if (kind === 'SECRET') names.set(`${name}_FILE`, 'PATH');
    }
    return names;
}

/** The names of the series that the programs export. */
export function seriesNames() {
    const names = new Set();
    for (const [, name, type] of rows('common/net/metrics.def', /^METRIC\(\w+,\s*"(\w+)",\s*(\w+)/gm)) {
        for (const suffix of type === 'HISTOGRAM' ? ['_bucket', '_sum', '_count'] : ['']) names.add(name + suffix);
    }
    return names;
}
