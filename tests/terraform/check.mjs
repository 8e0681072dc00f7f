// Reads Terraform's configuration and prints what is against the rules below; the exit status is 1 when there is something.
//
//     node check.mjs [FOLDER]    FOLDER is terraform unless told otherwise
//
// What Terraform itself finds (types, arguments, providers) is not looked at here: terraform/scripts/check.sh does that.
import { createRequire } from "node:module";
import { basename, dirname, join, relative } from "node:path";
import { globSync, readFileSync } from "../alerts/files.mjs";

const require = createRequire(import.meta.url);
const { parse } = require("@cdktf/hcl2json");
const { format } = require("@cdktf/hcl-tools");

const top = process.argv[2] ?? "terraform";
const complaints = [];
const complain = (where, what) => complaints.push(`${where}: ${what}`);

const texts = new Map(globSync(top, (path) => /\.(tf|tfvars|hcl)$/.test(path) && !path.includes(".terraform/") && !path.includes(".local."))
    .map((path) => [path, readFileSync(path, "utf8")]));

// ---- form ----

for (const [path, text] of texts) {
    if ((await format(text)) !== text) complain(relative(top, path), "is not as terraform fmt writes it");
}

// ---- variables and outputs ----

// Values that come from another resource, and are right if that is.
const handedOn = /^(location|resource_group(_name|_id)?|tenant_id|namespace|tags|cluster|private_link|private_endpoint|backup_storage|backup_container|.*_(id|ids)|workload_issuer|lock)$/;
const secretName = /(^|_)(password|secret|secrets|token|connection_string|access_key|key|keys)$/;
const secretValue = /(primary|secondary)_(access_)?key|connection_string|admin_password|kube_(admin_)?config|client_secret|shared_key/;

function checkVariable(where, name, variable, others) {
    if (!variable.description?.trim()) complain(where, `variable ${name} is not described`);
    if (!variable.type) complain(where, `variable ${name} has no type`);
    const isRoot = where === ".";
    const canBeWrong = variable.type !== "${bool}" && (isRoot || !handedOn.test(name));
    if (canBeWrong && !variable.validation) complain(where, `variable ${name} takes any value`);
    if (!new RegExp(`\\bvar\\.${name}\\b`).test(others)) complain(where, `variable ${name} is not used`);
    if (secretName.test(name) && "default" in variable) complain(where, `variable ${name} is a secret with a default`);
    if (secretName.test(name) && variable.sensitive !== true) complain(where, `variable ${name} is a secret and not sensitive`);
}

function checkOutput(where, name, output) {
    if (!output.description?.trim()) complain(where, `output ${name} is not described`);
    if (secretName.test(name) || output.sensitive || secretValue.test(JSON.stringify(output.value))) complain(where, `output ${name} tells a secret`);
}

// ---- what is taken from others ----

function checkModule(where, name, call) {
    if (call.source.startsWith("./")) return;
    if (!/^\d+\.\d+\.\d+$/.test(call.version ?? "")) complain(where, `module ${name} is not pinned to a version`);
    if (call.enable_telemetry !== false) complain(where, `module ${name} tells its maker that it was used`);
}

function checkTerraform(where, block) {
    if (!/^>= 1\.1[2-9]/.test(block.required_version ?? "")) complain(where, "does not ask for Terraform 1.12 or newer");
    for (const [name, provider] of Object.entries(block.required_providers?.[0] ?? {})) {
        if (!/^~> \d+\.\d+/.test(provider.version ?? "")) complain(where, `provider ${name} may be of any version`);
    }
}

const folders = new Map();
for (const [path, text] of texts) {
    if (!path.endsWith(".tf")) continue;
    const where = relative(top, dirname(path)) || ".";
    const folder = folders.get(where) ?? { variables: {}, others: "", hasVersions: false };
    const tree = await parse(basename(path), text);
    Object.assign(folder.variables, tree.variable);
    if (basename(path) !== "variables.tf") folder.others += text;
    for (const [name, [output]] of Object.entries(tree.output ?? {})) checkOutput(where, name, output);
    for (const [name, [call]] of Object.entries(tree.module ?? {})) checkModule(where, name, call);
    for (const block of tree.terraform ?? []) {
        if (!block.required_version) continue;
        folder.hasVersions = true;
        checkTerraform(where, block);
    }
    folders.set(where, folder);
}
for (const [where, folder] of folders) {
    if (!folder.hasVersions) complain(where, "does not say which Terraform and which providers it needs");
    for (const [name, [variable]] of Object.entries(folder.variables)) checkVariable(where, name, variable, folder.others);
    if (![...texts.keys()].some((path) => path.endsWith(".tftest.hcl") && path.startsWith(join(top, where, "tests")))) complain(where, "has no tests");
}

// ---- environments ----

const given = new Set(["subscription_id"]); // by make deploy
for (const [path, text] of texts) {
    if (!path.endsWith(".tfvars")) continue;
    const where = relative(top, path);
    const values = await parse("values.tf", text);
    const known = folders.get(".").variables;
    for (const name of Object.keys(values)) {
        if (!(name in known)) complain(where, `there is no variable ${name}`);
        if (secretName.test(name)) complain(where, `has the secret ${name}`);
    }
    for (const [name, [variable]] of Object.entries(known)) {
        if (!("default" in variable) && !(name in values) && !given.has(name)) complain(where, `does not say ${name}`);
    }
}

if (folders.size < 9) complain(top, `has only ${folders.size} folders of configuration`);
for (const complaint of complaints) console.log(complaint);
process.exit(complaints.length ? 1 : 0);
