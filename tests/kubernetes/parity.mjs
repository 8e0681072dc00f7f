// Whether the chart renders to the same objects as kustomize.
import { isDeepStrictEqual } from 'node:util';

const ofHelm = ['app.kubernetes.io/managed-by', 'app.kubernetes.io/version', 'helm.sh/chart'];
// Kustomize rolls pods by the hash in a ConfigMap's name, helm by an annotation.
const hashed = /^(jobgate-(?:api|worker|redis))-[0-9a-z]{10}$/;

function normal(value, key) {
    if (Array.isArray(value)) return value.map(one => normal(one));
    if (typeof value === 'string') return key === 'name' ? value.replace(hashed, '$1') : value.trimEnd();
    if (!value || typeof value !== 'object') return value;
    const members = Object.entries(value)
        .filter(([name]) => !ofHelm.includes(name) && name !== 'checksum/config')
        .map(([name, one]) => [name, normal(one, name)])
        .filter(([name, one]) => !(name === 'annotations' && Object.keys(one).length === 0));
    return Object.fromEntries(members.sort(([a], [b]) => (a < b ? -1 : 1)));
}

const titled = objects =>
    new Map(
        objects.map(normal).map(one => [`${one.apiVersion} ${one.kind} ${one.metadata.namespace ?? ''}/${one.metadata.name}`, one]),
    );

function differences(a, b, path, out) {
    if (isDeepStrictEqual(a, b)) return;
    if (a && b && typeof a === 'object' && typeof b === 'object' && Array.isArray(a) === Array.isArray(b))
        for (const key of new Set([...Object.keys(a), ...Object.keys(b)])) differences(a[key], b[key], `${path}.${key}`, out);
    else out.push(`${path}: kustomize has ${JSON.stringify(a)}, the chart ${JSON.stringify(b)}`);
}

export function parity(ofKustomize, ofChart) {
    const mistakes = [];
    const ours = titled(ofKustomize);
    const theirs = titled(ofChart);
    for (const title of new Set([...ours.keys(), ...theirs.keys()]))
        differences(ours.get(title), theirs.get(title), title, mistakes);
    return mistakes;
}
