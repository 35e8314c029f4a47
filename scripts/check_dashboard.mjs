// The dashboard and the report in headless Chromium, at desktop and phone width, light and dark.
//
//   node scripts/check_dashboard.mjs AUTOGAN RUNS SHOTS
//
// AUTOGAN is the binary, RUNS a directory with at least two finished searches, a finished search by a strategy and a
// finished training (it is copied, not changed), SHOTS an empty directory for screenshots. `cargo xtask check-browser` makes all three, and installs playwright-core.
// Fails on any console message, any request to elsewhere, and whatever is not on the page.

import { spawn, execFileSync } from "node:child_process";
import { cpSync, existsSync, mkdtempSync, readdirSync, rmSync, writeFileSync, readFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { createRequire } from "node:module";

const [autogan, source, shots] = process.argv.slice(2);
const require = createRequire(process.env.PLAYWRIGHT_FROM ?? import.meta.url);
const { chromium } = require("playwright-core");

const SIZES = [["desktop", 1280, 900], ["phone", 390, 844]];
const SCHEMES = ["light", "dark"];
let checks = 0;

function check(condition, what) {
  checks += 1;
  if (!condition) throw new Error(`expected ${what}`);
}

/** Waits for `read` to become true; says what was expected if it does not. */
async function until(page, what, read, argument, timeout = 20000) {
  checks += 1;
  try {
    await page.waitForFunction(read, argument, { timeout });
  } catch {
    throw new Error(`expected ${what}`);
  }
}

/** The dashboard as a process; ends with `stop`. */
async function serve(runs) {
  const child = spawn(autogan, ["dashboard", runs, "--port", "0"], { stdio: ["ignore", "pipe", "inherit"] });
  const address = await new Promise((resolve, reject) => {
    child.stdout.on("data", (text) => resolve(String(text).trim()));
    child.on("exit", (code) => reject(new Error(`the dashboard ended with ${code}`)));
  });
  return { address: address.replace(/\/$/, ""), stop: () => child.kill() };
}

/** A page whose complaints and requests are kept. */
async function open(browser, [label, width, height], scheme, origin) {
  const context = await browser.newContext({ viewport: { width, height }, colorScheme: scheme, reducedMotion: "reduce" });
  const page = await context.newPage();
  const complaints = [];
  page.on("console", (message) => complaints.push(`${message.type()}: ${message.text()}`));
  page.on("pageerror", (error) => complaints.push(`error: ${error.message}`));
  page.on("requestfailed", (request) => complaints.push(`failed: ${request.url()}`));
  page.on("request", (request) => {
    const url = request.url();
    if (!url.startsWith(origin) && !url.startsWith("data:")) complaints.push(`request elsewhere: ${url}`);
  });
  page.on("response", (response) => {
    if (response.status() >= 400) complaints.push(`${response.status()}: ${response.url()}`);
  });
  const quiet = (where) => check(complaints.length === 0, `no complaint on ${where}, found ${complaints.join(" | ")}`);
  const shot = (name) => page.screenshot({ path: join(shots, `${name}-${label}-${scheme}.png`), fullPage: true });
  return { context, page, quiet, shot };
}

/** Whether there are so many plots, 3 unless given, and the canvas of each holds more than one colour. */
function drawn(least) {
  const plots = [...document.querySelectorAll(".chart:not(.empty) .uplot canvas")];
  return plots.length >= (least ?? 3) && plots.every((canvas) => {
    const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
    const seen = new Set();
    for (let at = 0; at < data.length; at += 4) if (data[at + 3]) seen.add((data[at] << 16) | (data[at + 1] << 8) | data[at + 2]);
    return seen.size > 3;
  });
}

const noSideways = () => document.documentElement.scrollWidth <= document.documentElement.clientWidth;
const count = (page, selector) => page.locator(selector).count();

async function checkList({ page, quiet, shot }, base, all) {
  await page.goto(`${base}/`);
  await until(page, "a line for each run", (n) => document.querySelectorAll(".list tbody tr").length === n, all + 2);
  check(await page.locator(".chip.damaged").count() === 1, "the damaged run to be marked");
  check(await page.locator(".chip.refused").count() === 1, "the linked run to be marked");
  check(await page.evaluate(noSideways), "no sideways scrolling in the list");
  await shot("runs");
  quiet("the list");
}

async function checkRun({ page, quiet, shot }, base, name) {
  const at = `${base}/#/run/${name}`;
  await page.goto(`${at}/overview`);
  await until(page, "three curves that are drawn", drawn);
  await until(page, "the pictures", () => {
    const images = [...document.querySelectorAll(".samples img")];
    return images.length > 4 && images[0].naturalWidth > 8 && images[0].complete;
  });
  check(await page.evaluate(noSideways), "no sideways scrolling on a run");
  check(await count(page, ".legend .key") >= 8, "a legend");
  await page.locator(".key", { hasText: "real data" }).first().click();
  check(await page.locator(".key[aria-pressed=false]").count() === 1, "a curve to be switched off");
  await page.locator(".key", { hasText: "real data" }).first().click();
  await page.locator(".frame").first().click();
  check(/stage 1/.test(await page.locator(".large figcaption").textContent()), "the picture that was picked");
  await shot("run");
  await page.goto(`${at}/policy`);
  await until(page, "the policy's drawings", () => document.querySelectorAll(".token rect").length > 20);
  await shot("policy");
  await page.goto(`${at}/about`);
  await until(page, "the configuration", () => document.querySelector("pre")?.textContent.includes("preset"));
  await shot("settings");
  quiet("a run");
}

/** A training from scratch: its scores, and no page that only searches have. */
async function checkTraining({ page, quiet, shot }, base, name) {
  await page.goto(`${base}/#/run/${name}/overview`);
  await until(page, "three curves that are drawn", drawn);
  await until(page, "the pictures", () => [...document.querySelectorAll(".samples img")].some((image) => image.naturalWidth > 8));
  check(await page.locator(".chart .title", { hasText: "chet distance" }).isVisible(), "the curve of the distance");
  check(!await page.locator(".chart .title", { hasText: /^Score$/ }).isVisible(), "no curve of scores");
  check(await page.locator(".tabs a:visible").count() === 2, "two pages");
  check(/training images/.test(await page.locator(".tiles").textContent()), "the scores beside those of training images");
  check(/after iteration/.test(await page.locator(".large figcaption").textContent()), "the newest picture");
  check(await page.evaluate(noSideways), "no sideways scrolling on a training");
  await shot("training");
  quiet("a training");
}

/** A search by trainings from scratch: their values in place of a policy, and a filter that knows them. */
async function checkStrategy({ page, quiet, shot }, base, name) {
  await page.goto(`${base}/#/run/${name}/overview`);
  await until(page, "the curve of the trainings", drawn, 1);
  check(await page.locator(".chart .title", { hasText: "Values of trainings" }).isVisible(), "the values of trainings");
  check(!await page.locator(".chart .title", { hasText: "Entropy" }).isVisible(), "no curve of a policy");
  check(await page.locator(".tabs a:visible").count() === 3, "three pages");
  await shot("strategy");
  await page.goto(`${base}/#/run/${name}/trials`);
  await until(page, "trainings", () => document.querySelectorAll(".trial-table tbody tr").length > 2);
  const { trials } = JSON.parse(await (await page.request.get(`${base}/api/runs/${name}`)).text());
  check(await kept(page) === trials.length, `all ${trials.length} trainings, found ${await kept(page)}`);
  await page.locator(".segments button", { hasText: /^trained$/ }).click();
  const others = trials.filter((trial) => trial.kind !== "trained").length;
  check(await kept(page) === others, `${others} trials that no strategy asked for, found ${await kept(page)}`);
  quiet("a search by a strategy");
}

/** How many trials the filters let through. */
const kept = async (page) => Number((await shown(page)).split(" of ")[0].replace(/\D/g, ""));

/** A choice of the last stage's trials that some took and some did not, and how many; an architecture among them. */
async function telling(page, base, name) {
  const { trials, stages } = JSON.parse(await (await page.request.get(`${base}/api/runs/${name}`)).text());
  const last = trials.filter((trial) => trial.stage === stages.at(-1).stage);
  for (let token = 0; token < last[0].choice.length; token += 1) {
    const choice = last[0].choice[token];
    const some = last.filter((trial) => trial.choice[token] === choice).length;
    if (some === last.length) continue;
    const { named } = last[0];
    const same = last.filter((trial) => trial.named.includes(named)).length;
    return { all: last.length, key: `${token}-${choice}`, some, named, same };
  }
  throw new Error("expected trials that differ");
}

const shown = (page) => page.locator(".count").textContent();

async function checkTrials({ page, quiet, shot }, base, name, wide) {
  await page.goto(`${base}/#/run/${name}/trials`);
  await until(page, "trials", () => document.querySelectorAll(".trial-table tbody tr").length > 10);
  check(await page.evaluate(noSideways), "no sideways scrolling on the trials");
  await shot("trials");
  const all = await shown(page);
  const expected = await telling(page, base, name);
  check(await kept(page) === expected.all, `${expected.all} trials of the last stage, found ${await kept(page)}`);
  // A choice, by the keyboard.
  await page.locator(`[data-choice="${expected.key}"]`).focus();
  await page.keyboard.press("Enter");
  check(await kept(page) === expected.some, `${expected.some} trials with a choice, found ${await kept(page)}`);
  check(await page.locator(".axes .choice[aria-pressed=true]").count() === 1, "the choice to be pressed");
  check(await page.evaluate(() => document.activeElement.getAttribute("aria-pressed") === "true"), "the focus to stay");
  await page.locator(".summary .button").click();
  check(await shown(page) === all, "all trials after clearing");
  if (wide) await dragScore(page, all, shot);
  await page.locator("input[type=search]").fill(expected.named);
  check(await kept(page) === expected.same, `${expected.same} trials of one architecture, found ${await kept(page)}`);
  await page.locator(".summary .button").click();
  await checkSorting(page);
  await page.locator(".trial-table .named button").first().click();
  await until(page, "the drawing", () => document.querySelector("dialog[open] svg.arch"));
  check(await count(page, "dialog .command code") >= 2, "commands");
  check(await page.evaluate(() => document.activeElement.classList.contains("close")), "the focus in the panel");
  await page.screenshot({ path: join(shots, `inspector-${wide ? "desktop" : "phone"}.png`) });
  await page.keyboard.press("Escape");
  await until(page, "the panel to close", () => !document.querySelector("dialog[open]"));
  quiet("the trials");
}

/** Brushes the best scores with the mouse. */
async function dragScore(page, all, shot) {
  const box = await page.locator(".axes").boundingBox();
  const x = box.x + box.width - 62;
  await page.mouse.move(x, box.y + 48);
  await page.mouse.down();
  await page.mouse.move(x, box.y + 110, { steps: 4 });
  await page.mouse.up();
  await until(page, "fewer trials after brushing", (was) => document.querySelector(".count").textContent !== was, all);
  const low = Number(await page.getByLabel("Lowest score").inputValue());
  const scores = await page.locator(".trial-table tbody tr td:nth-child(2)").allTextContents();
  check(scores.length > 0 && scores.every((text) => Number(text) >= low - 0.001), "only scores within the brush");
  await shot("brushed");
  await page.locator(".summary .button").click();
  check(await shown(page) === all, "all trials after clearing the brush");
}

async function checkSorting(page) {
  const column = async (n) => (await page.locator(`.trial-table tbody tr td:nth-child(${n})`).allTextContents()).map((text) => parseFloat(text));
  const head = page.locator(".trial-table th button", { hasText: "Score" });
  const falling = await column(2);
  check(falling.every((value, at) => at === 0 || value <= falling[at - 1]), "the best first");
  await head.click();
  const rising = await column(2);
  check(rising.every((value, at) => at === 0 || value >= rising[at - 1]) && rising[0] < falling[0], "the worst first");
  await head.click();
}

async function checkComparison({ page, quiet, shot }, base, [a, b]) {
  await page.goto(`${base}/#/compare/${a}/${b}`);
  await until(page, "two drawings", () => document.querySelectorAll(".drawn svg").length === 2);
  await until(page, "curves that are drawn", drawn);
  check(await page.evaluate(noSideways), "no sideways scrolling in the comparison");
  await shot("compare");
  quiet("the comparison");
}

/** A search that goes on while the page is open. */
async function checkLive(browser, home) {
  const runs = join(home, "live");
  const settings = ["data.count=320", "search.iterations=3", "search.grow_at=[1, 2]", "controller.steps=3", "reward.images=64", "derive.images=128", "derive.random=4"];
  const search = spawn(autogan, ["search", "--run-dir", join(runs, "tiny"), "--quiet", ...settings.flatMap((one) => ["--set", one])], { stdio: ["ignore", "ignore", "inherit"] });
  const done = new Promise((resolve) => { search.on("exit", resolve); });
  while (!existsSync(join(runs, "tiny/config.toml"))) await new Promise((resolve) => { setTimeout(resolve, 50); });
  const server = await serve(runs);
  try {
    const opened = await open(browser, SIZES[0], "light", server.address);
    const { page } = opened;
    await page.goto(`${server.address}/#/run/tiny/trials`);
    await until(page, "a run that is live", () => document.querySelector(".chip.running") && document.querySelector(".pulse.live"), null, 60000);
    const number = () => Number((document.querySelector(".count")?.textContent ?? "").split(" of ")[1]?.split(" ")[0]?.replace(/\D/g, "") ?? 0);
    const trials = async () => page.evaluate(number);
    const first = await trials();
    await until(page, "more trials without a reload", (was) => Number((document.querySelector(".count")?.textContent ?? "").split(" of ")[1]?.split(" ")[0]?.replace(/\D/g, "") ?? 0) > was, first, 120000);
    check(await done === 0, "the search to succeed beside the dashboard");
    await until(page, "the run to be finished", () => document.querySelector(".chip.finished"), null, 30000);
    const stored = JSON.parse(await (await page.request.get(`${server.address}/api/runs/tiny`)).text()).trials.length;
    check(await trials() === stored, `all ${stored} trials, found ${await trials()}`);
    await page.goto(`${server.address}/#/run/tiny/overview`);
    await until(page, "curves of the run that was followed", drawn);
    await opened.shot("followed");
    opened.quiet("a live run");
  } finally {
    server.stop();
    search.kill();
  }
}

/** The report of a run, if this binary writes reports. */
async function checkReport(browser, run) {
  const file = join(run, "report.html");
  execFileSync(autogan, ["report", run], { stdio: ["ignore", "ignore", "inherit"] });
  check(!/(src|href)="(?!#|data:)/.test(readFileSync(file, "utf8")), "a report that refers to nothing outside");
  const url = pathToFileURL(file).href;
  for (const size of SIZES) {
    for (const scheme of SCHEMES) {
      const opened = await open(browser, size, scheme, url);
      await opened.page.goto(url);
      await until(opened.page, "drawings and pictures in the report", () => document.querySelectorAll("svg").length > 3 && [...document.images].every((image) => image.complete && image.naturalWidth > 0));
      check(await opened.page.evaluate(noSideways), `no sideways scrolling in the report, ${size[0]}`);
      await opened.shot("report");
      opened.quiet("the report");
      await opened.context.close();
    }
  }
}

/** A damaged run and a link to outside, beside the good ones. */
function spoil(runs, names, home) {
  cpSync(join(runs, names[0]), join(runs, "00098-damaged"), { recursive: true });
  const store = join(runs, "00098-damaged/run.sqlite");
  writeFileSync(store, readFileSync(store).subarray(0, 8192));
  cpSync(join(runs, names[0]), join(home, "outside"), { recursive: true });
  execFileSync("ln", ["-s", join(home, "outside"), join(runs, "00099-linked")]);
}

async function main() {
  const home = mkdtempSync(join(tmpdir(), "autogan-browser-"));
  const runs = join(home, "runs");
  cpSync(source, runs, { recursive: true });
  const found = readdirSync(runs).filter((name) => existsSync(join(runs, name, "arch.json"))).sort();
  const shared = (name) => readFileSync(join(runs, name, "config.toml"), "utf8").includes('name = "supernet"');
  const [names, asked] = [found.filter(shared), found.filter((name) => !shared(name))];
  const trained = readdirSync(runs).filter((name) => existsSync(join(runs, name, "scores.json"))).sort();
  check(names.length >= 2 && asked.length >= 1 && trained.length >= 1, `two finished searches, one by a strategy, and a training in ${source}`);
  spoil(runs, names, home);
  const executablePath = process.env.CHROMIUM ?? "/usr/bin/chromium";
  const browser = await chromium.launch({ executablePath, args: process.getuid() === 0 ? ["--no-sandbox"] : [] });
  const server = await serve(runs);
  try {
    for (const size of SIZES) {
      for (const scheme of SCHEMES) {
        const opened = await open(browser, size, scheme, server.address);
        await checkList(opened, server.address, found.length + trained.length);
        await checkRun(opened, server.address, names[0]);
        await checkTraining(opened, server.address, trained[0]);
        await checkStrategy(opened, server.address, asked[0]);
        await checkTrials(opened, server.address, names[0], size[0] === "desktop");
        await checkComparison(opened, server.address, names);
        await opened.context.close();
        console.log(`dashboard, ${size[0]}, ${scheme}: fine`);
      }
    }
    await checkLive(browser, home);
    console.log("dashboard, live: fine");
    for (const name of [names[0], asked[0], trained[0]]) await checkReport(browser, join(runs, name));
    console.log("reports: fine");
  } finally {
    server.stop();
    await browser.close();
    rmSync(home, { recursive: true });
  }
  console.log(`${checks} checks are fine; screenshots are in ${shots}`);
}

main().catch((error) => {
  console.error(`error: ${error.message}`);
  process.exitCode = 1;
});
