// The files below a folder for which `wanted` is true. (node:fs has a glob of its own only from version 22 on.)
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

export { readFileSync };

export function globSync(folder, wanted) {
    return readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
        const path = join(folder, entry.name);
        if (entry.isDirectory()) return globSync(path, wanted);
        return wanted(path) ? [path] : [];
    });
}
