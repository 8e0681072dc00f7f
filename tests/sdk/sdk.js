// What Azure's own SDK makes of a blob, a link or a request, as one line of JSON. tests/integration/test_sdk.c
// compares it with what jobgate makes of the same.
"use strict";

const crypto = require("crypto");
const path = require("path");
const { createRequire } = require("module");
const sdk = createRequire(path.join(process.cwd(), "tests/package.json"))("@azure/storage-blob");

const say = (value) => console.log(JSON.stringify(value));

function md5(data) {
  return crypto.createHash("md5").update(data).digest("base64");
}

async function collect(stream) {
  const pieces = [];
  for await (const piece of stream) pieces.push(piece);
  return Buffer.concat(pieces);
}

function blobOf(connection, container, name) {
  return sdk.BlobServiceClient.fromConnectionString(connection)
    .getContainerClient(container)
    .getBlockBlobClient(name);
}

async function describe(blob, withBlocks) {
  const answer = await blob.download();
  const data = await collect(answer.readableStreamBody);
  const value = {
    length: data.length,
    md5: md5(data),
    stored_md5: Buffer.from(answer.contentMD5 || []).toString("base64"),
    type: answer.contentType,
    metadata: answer.metadata,
    etag: answer.etag,
  };
  if (withBlocks) {
    const list = await blob.getBlockList("committed");
    value.blocks = (list.committedBlocks || []).map((block) => block.size);
  }
  return value;
}

async function read(connection, container, name) {
  say(await describe(blobOf(connection, container, name), true));
}

// The content is that of depot_fill (tests/support/depot.h).
async function write(connection, container, name, length) {
  const data = Buffer.alloc(Number(length));
  for (let i = 0; i < data.length; i++) {
    const x = BigInt.asUintN(64, BigInt(i) * 0x9e3779b97f4a7c15n);
    data[i] = Number(((x >> 56n) ^ (x >> 17n)) & 255n);
  }
  const blob = blobOf(connection, container, name);
  const hash = crypto.createHash("md5").update(data).digest();
  await blob.uploadData(data, {
    maxSingleShotSize: 65536,
    blockSize: 65536,
    blobHTTPHeaders: { blobContentType: "text/plain", blobContentMD5: hash },
    metadata: { jobid: "default.0.X", attempt: "7", owner: "sdk" },
  });
  say({ md5: hash.toString("base64") });
}

async function follow(url) {
  say(await describe(new sdk.BlobClient(url), false));
}

// Requests as the SDK signs them, without sending any.
async function sign(account, key) {
  const seen = [];
  const credential = new sdk.StorageSharedKeyCredential(account, key);
  const options = {
    retryOptions: { maxTries: 1 },
    httpClient: {
      async sendRequest(request) {
        seen.push({
          method: request.method,
          url: request.url,
          length: request.body ? Buffer.byteLength(request.body) : 0,
          headers: request.headers.rawHeaders(),
        });
        throw Object.assign(new Error("not sent"), { code: "REQUEST_SEND_ERROR" });
      },
    },
  };
  const service = new sdk.BlobServiceClient(`https://${account}.blob.core.windows.net`, credential, options);
  const container = service.getContainerClient("jobgate");
  const blob = container.getBlockBlobClient("results/ab/default/default.0.X");
  const conditions = { ifNoneMatch: "*" };
  const metadata = { jobid: "default.0.X", attempt: "2", owner: "ann", expires: "2030-01-01T00:00:00.000Z" };
  const calls = [
    () => blob.upload("hello", 5, { conditions, metadata, blobHTTPHeaders: { blobContentType: "text/plain" } }),
    () => blob.upload("", 0, { conditions }),
    () => blob.stageBlock("MDEyMzQ1Njc4OWFiY2RlZi0wMDAwMDAx", "hello", 5),
    () => blob.commitBlockList(["MDEyMzQ1Njc4OWFiY2RlZi0wMDAwMDAx"], { conditions, metadata }),
    () => blob.download(10, 20, { conditions: { ifMatch: '"0x1"' } }),
    () => blob.getProperties(),
    () => blob.delete(),
    () => blob.setAccessTier("Cool"),
    () => container.create(),
    () => container.listBlobsFlat({ prefix: "results/ab/", includeMetadata: true }).byPage({ maxPageSize: 3 }).next(),
  ];
  for (const call of calls) await call().catch(() => {});
  say(seen);
}

// SAS queries: one signed with an account's key, one with a delegation key.
function sas(account, key, delegation, start, expiry) {
  const values = {
    containerName: "jobgate",
    blobName: "results/ab/default/default.0.X",
    permissions: sdk.BlobSASPermissions.parse("r"),
    startsOn: new Date(start),
    expiresOn: new Date(expiry),
    protocol: sdk.SASProtocol.Https,
  };
  const lent = JSON.parse(delegation);
  lent.signedStartsOn = new Date(lent.signedStartsOn);
  lent.signedExpiresOn = new Date(lent.signedExpiresOn);
  say({
    service: sdk.generateBlobSASQueryParameters(values, new sdk.StorageSharedKeyCredential(account, key)).toString(),
    delegation: sdk.generateBlobSASQueryParameters(values, lent, account).toString(),
  });
}

const commands = { read, write, follow, sign, sas };

(async () => {
  const [command, ...rest] = process.argv.slice(2);
  await commands[command](...rest);
})().catch((error) => {
  console.error(error.message);
  process.exit(1);
});
