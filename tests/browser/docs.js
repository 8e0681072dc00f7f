// /docs in a real Chromium: it shows the whole contract, tries a call for real, and nothing in it offends its own policy.
// Arguments: the URL of an api. Prints what failed, and "counts <good> <bad>".
'use strict';
const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');
const { chromium } = require(path.join(__dirname, '..', 'node_modules', 'playwright-core'));

const api = process.argv[2];
let good = 0;
let bad = 0;

function check(what, isRight) {
    if (isRight) {
        good++;
    } else {
        bad++;
        console.log(`browser: ${what}: FAILED`);
    }
}

async function tryOperation(page, id, body) {
    const details = page.locator(`#${id}`);
    await details.locator('summary').click();
    if (body !== undefined) {
        await details.locator('textarea').fill(body);
    }
    await details.locator('button').click();
    await page.waitForFunction((name) => /\n\d{3}\n/.test(document.querySelector(`#${name} pre`).textContent), id, { timeout: 20000 });
    return details.locator('pre').textContent();
}

async function look(page) {
    const complaints = [];
    page.on('console', (message) => message.type() === 'error' && complaints.push(message.text()));
    page.on('pageerror', (error) => complaints.push(String(error)));
    const requests = [];
    page.on('request', (request) => requests.push(request.url()));
    await page.goto(`${api}/docs`);
    await page.waitForSelector('#createJob');
    const contract = await (await fetch(`${api}/openapi.json`)).json();
    const operations = Object.values(contract.paths).flatMap((item) => Object.values(item));
    check('every operation is shown', await page.locator('details').count() === operations.length);
    check('the page says what it is', (await page.locator('#about').textContent()).includes(contract.info.version));
    const submitted = await tryOperation(page, 'createJob', '{"type": "echo", "payload": {"from": "<b>docs</b>"}}');
    check(`a job is submitted: ${submitted.slice(0, 200)}`, submitted.includes('\n202\n'));
    const refused = await tryOperation(page, 'putSchedule', '{}');
    check(`what is wrong is shown: ${refused.slice(0, 200)}`, /\n4\d\d\n/.test(refused) && refused.includes('"detail"'));
    check('answers never become markup', await page.locator('pre b').count() === 0);
    check(`nothing comes from elsewhere: ${requests.filter((url) => !url.startsWith(api) && !url.startsWith('data:'))}`,
        requests.every((url) => url.startsWith(api) || url.startsWith('data:')));
    // An answer that is an error is told on the console too; that is not ours.
    const ours = complaints.filter((text) => !text.includes('Failed to load resource'));
    check(`the console is silent: ${ours}`, ours.length === 0);
}

async function main() {
    const profile = fs.mkdtempSync(path.join(os.tmpdir(), 'jobgate-browser.'));
    const context = await chromium.launchPersistentContext(profile, {
        executablePath: '/usr/bin/chromium',
        headless: true,
        args: ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking',
            '--disable-component-update', '--disable-sync'],
    });
    try {
        await look(await context.newPage());
    } finally {
        await context.close();
        fs.rmSync(profile, { recursive: true, force: true });
    }
}

main().catch((error) => {
    console.log(`browser: ${error}`);
    bad++;
}).finally(() => console.log(`counts ${good} ${bad}`));
