// Prints each metric that an alert or a dashboard asks for, and that neither our programs (common/net/metrics.def) nor Kubernetes
// and the nodes (known_metrics.txt) export; and each number that the autoscaler reads and /v1/stats has not. Nothing printed: all
// is well. The exit status is 1 when something is printed, or when there was nothing to look at.
//
//     node names.mjs RULES-FILE    looks at this file of rules instead of ours
import { globSync, readFileSync } from "./files.mjs";
import { parse, parseAllDocuments } from "../node_modules/yaml/dist/index.js";

const read = (path) => readFileSync(path, "utf8");
const complaints = [];
const rulesFile = process.argv[2] ?? "terraform/modules/monitoring/rules/jobgate.rules.yaml";

// ---- what there is ----

const ours = new Set();
for (const [, name, type] of read("common/net/metrics.def").matchAll(/^METRIC\(\w+,\s*"(\w+)",\s*(\w+),/gm)) {
    if (type === "HISTOGRAM") for (const end of ["_bucket", "_sum", "_count"]) ours.add(name + end);
    else ours.add(name);
}
const theirs = new Set(read("tests/alerts/known_metrics.txt").split("\n").filter((line) => line && !line.startsWith("#")));

// ---- the words of PromQL that are no metrics ----

const words = new Set(("and or unless by without on ignoring group_left group_right bool offset inf nan " +
    "sum min max avg group stddev stdvar count count_values bottomk topk quantile").split(" "));

// What is left when texts, label matchers, lists of labels, ranges and variables are taken away, and is not called like a function.
function metricsOf(expression) {
    const bare = expression
        .replace(/"(\\.|[^"\\])*"|'(\\.|[^'\\])*'/g, " ")
        .replace(/\$\{?[A-Za-z_:]+\}?/g, " ")
        .replace(/\{[^}]*\}/g, " ")
        .replace(/\[[^\]]*\]/g, " ")
        .replace(/\b(by|without|on|ignoring|group_left|group_right)\s*\([^)]*\)/g, " ");
    return [...bare.matchAll(/(?<![\w.])[A-Za-z_:][\w:]*(?!\s*\()(?![\w:])/g)].map(([name]) => name).filter((name) => !words.has(name));
}

let looked = 0;
function look(where, expression) {
    looked += 1;
    const names = metricsOf(expression);
    if (names.length === 0) complaints.push(`${where}: asks for no metric: ${expression}`);
    for (const name of names) {
        if (!ours.has(name) && !theirs.has(name)) complaints.push(`${where}: nobody exports ${name}`);
    }
}

// ---- alerts ----

for (const group of parse(read(rulesFile)).groups) {
    for (const rule of group.rules) look(`alert ${rule.alert}`, rule.expr);
}

// ---- dashboards ----

function expressionsOf(value) {
    if (Array.isArray(value)) return value.flatMap(expressionsOf);
    if (value === null || typeof value !== "object") return [];
    return Object.entries(value).flatMap(([key, inner]) => (key === "expr" && typeof inner === "string" ? [inner] : expressionsOf(inner)));
}
const dashboards = globSync("kubernetes", (path) => path.endsWith("dashboard.json"));
if (dashboards.length === 0) complaints.push("there is no dashboard below kubernetes");
for (const path of dashboards) {
    for (const expression of expressionsOf(JSON.parse(read(path)))) look(path, expression);
}

// ---- the autoscaler ----

const stats = read("api/stats.c");
const scalers = globSync("kubernetes/components", (path) => path.endsWith(".yaml")).flatMap((path) => parseAllDocuments(read(path)).map((d) => d.toJS()))
    .filter((object) => object?.kind === "ScaledObject");
if (scalers.length === 0) complaints.push("there is no ScaledObject below kubernetes/components");
for (const trigger of scalers.flatMap((object) => object.spec.triggers)) {
    if (trigger.type === "prometheus") look("autoscaler", trigger.metadata.query);
    else if (trigger.type !== "metrics-api") complaints.push(`autoscaler: a trigger of the type ${trigger.type}`);
    else if (!trigger.metadata.url.endsWith("/v1/stats")) complaints.push(`autoscaler: reads ${trigger.metadata.url}`);
    else if (!new RegExp(`["\\\\]${trigger.metadata.valueLocation}["\\\\]`).test(stats)) complaints.push(`autoscaler: /v1/stats has no ${trigger.metadata.valueLocation}`);
}

if (looked < 20) complaints.push(`only ${looked} expressions were found`);
for (const complaint of complaints) console.log(complaint);
process.exit(complaints.length ? 1 : 0);
