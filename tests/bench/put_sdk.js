// put_sdk.js CONNECTION CONTAINER COUNT BYTES AT_ONCE: put_ours with Azure's own SDK. Prints what put_ours does.
"use strict";

const crypto = require("crypto");
const path = require("path");
const { createRequire } = require("module");
const sdk = createRequire(path.join(process.cwd(), "tests/package.json"))("@azure/storage-blob");

const [connection, containerName, ...numbers] = process.argv.slice(2);
const [count, size, atOnce] = numbers.map(Number);
const data = Buffer.alloc(size, "x");

async function main() {
  const container = sdk.BlobServiceClient.fromConnectionString(connection).getContainerClient(containerName);
  let begun = 0;
  const cpuBefore = process.cpuUsage();
  const started = process.hrtime.bigint();
  const work = async () => {
    while (begun < count) {
      const name = `results/ab/default/default.0.${crypto.randomUUID()}`;
      begun++;
      await container.getBlockBlobClient(name).upload(data, size, {
        conditions: { ifNoneMatch: "*" },
        blobHTTPHeaders: {
          blobContentType: "application/json",
          blobContentMD5: crypto.createHash("md5").update(data).digest(),
        },
        metadata: { jobid: name, attempt: "1", type: "echo", queue: "default", worker: "host.01KA2B3C4D5E6F7G8H9JKMNPQR" },
      });
    }
  };
  await Promise.all(Array.from({ length: atOnce }, work));
  const seconds = Number(process.hrtime.bigint() - started) / 1e9;
  const cpu = process.cpuUsage(cpuBefore);
  const peak = process.resourceUsage().maxRSS / 1024;
  console.log(`${(count / seconds).toFixed(1)} ${((cpu.user + cpu.system) / count).toFixed(2)} ${peak.toFixed(2)}`);
}

main().catch((error) => {
  console.error(error.message);
  process.exit(1);
});
