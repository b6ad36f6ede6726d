"use strict";
/* browser_test.js TESSERA BROWSER FOLDER: a.html, a.json and compared.html lie in the folder. */
const { chromium } = require("playwright-core");
const { execFileSync } = require("child_process");
const fs = require("fs");
const path = require("path");
const assert = require("assert");

const [tessera, executablePath, folder] = process.argv.slice(2);
const shots = process.env.TESSERA_SHOTS;
const EVENTS = 50000, LIMIT_MS = 3000; /* what is promised is a second; a busy machine is given more */

const viewBox = (page, id) => page.evaluate((name) => document.getElementById(name).getAttribute("viewBox").split(" ").map(Number), id);

/* Opens a page; every message of its console and every request is a failure. */
async function open(browser, file, colorScheme) {
  const context = await browser.newContext({ viewport: { width: 1280, height: 900 }, colorScheme });
  const page = await context.newPage();
  const url = "file://" + file;
  page.wrong = [];
  page.on("console", (message) => page.wrong.push("console: " + message.text()));
  page.on("pageerror", (error) => page.wrong.push("error: " + error.message));
  page.on("request", (request) => request.url() !== url && !request.url().startsWith("data:") && page.wrong.push("request: " + request.url()));
  const begin = Date.now();
  await page.goto(url);
  page.took = await page.evaluate(() => new Promise((done) => requestAnimationFrame(() => setTimeout(done, 0)))).then(() => Date.now() - begin);
  return page;
}

async function shoot(page, name) {
  if (shots) {
    await page.screenshot({ path: path.join(shots, name + ".png"), fullPage: true });
  }
}

async function close(page) {
  assert.deepStrictEqual(page.wrong, []);
  await page.context().close();
}

async function tooltips(page) {
  const tip = page.locator("#tip");
  await page.locator(".node").first().scrollIntoViewIfNeeded();
  await page.waitForTimeout(100);
  await page.locator(".node").first().hover();
  assert(await tip.isVisible());
  assert.match(await tip.textContent(), /cycles/);
  await page.keyboard.press("Escape");
  assert(!(await tip.isVisible()));
  await page.locator(".node").nth(1).focus();
  assert(await tip.isVisible(), "a tooltip also comes with the focus");
  const box = await page.locator("#timeline-chart").boundingBox();
  await page.locator("#timeline-chart").scrollIntoViewIfNeeded();
  await page.waitForTimeout(100);
  const now = await page.locator("#timeline-chart").boundingBox();
  await page.mouse.move(now.x + now.width / 3, now.y + 8);
  assert.match(await tip.textContent(), /^layers: layer \d+/);
  await page.mouse.move(now.x + now.width / 3, now.y - 60);
  assert(box.width > 600);
}

async function zooms(page) {
  for (const id of ["network-chart", "timeline-chart", "l2-chart"]) {
    const whole = await viewBox(page, id);
    await page.locator("#" + id).focus();
    await page.keyboard.press("+");
    const closer = await viewBox(page, id);
    assert(closer[2] < whole[2], id + " zooms by key");
    await page.keyboard.press("ArrowRight");
    assert((await viewBox(page, id))[0] > closer[0], id + " moves by key");
    await page.keyboard.press("0");
    assert.deepStrictEqual(await viewBox(page, id), whole);
    const figure = page.locator("figure", { has: page.locator("#" + id) });
    await figure.locator("[data-zoom=in]").click();
    assert((await viewBox(page, id))[2] < whole[2], id + " zooms by button");
    await figure.locator("[data-zoom=all]").click();
    assert.deepStrictEqual(await viewBox(page, id), whole);
    await page.locator("#" + id).hover();
    await page.locator("#" + id).focus();
    await page.mouse.wheel(0, -300);
    await page.waitForFunction(([name, width]) => Number(document.getElementById(name).getAttribute("viewBox").split(" ")[2]) < width, [id, whole[2]]);
    await page.keyboard.press("0");
  }
}

/* Charts have names, tables have captions and row heads, and everything can be reached by keyboard. */
async function accessible(page) {
  const faults = await page.evaluate(() => {
    const list = [];
    document.querySelectorAll("svg.zoom, svg.tl-svg").forEach((svg) => {
      const named = svg.getAttribute("aria-label") || (svg.getAttribute("aria-labelledby") || "").split(" ").every((id) => document.getElementById(id));
      (named && svg.tabIndex === 0) || list.push("chart " + svg.id);
    });
    document.querySelectorAll("section").forEach((s) => document.getElementById(s.getAttribute("aria-labelledby")) || list.push("section " + s.id));
    document.querySelectorAll("table").forEach((t) => (t.caption && t.querySelector("thead th[scope=col]")) || list.push("table"));
    document.querySelectorAll("button").forEach((b) => b.getAttribute("aria-label") || b.textContent || list.push("button"));
    document.documentElement.scrollWidth > innerWidth && list.push("the page is wider than the window");
    return list;
  });
  assert.deepStrictEqual(faults, []);
  await page.evaluate(() => document.activeElement.blur());
}

async function manyEvents(browser) {
  const run = JSON.parse(fs.readFileSync(path.join(folder, "a.json")));
  const layers = run.timeline ? run.timeline.spans.filter((s) => run.timeline.rows[s[0]] === "layers") : [];
  const end = layers.length ? layers[layers.length - 1][2] + layers[layers.length - 1][3] : 1e6;
  const rows = ["layers", ...Array.from({ length: 8 }, (_, i) => "core " + i)];
  const spans = (layers.length ? layers : [[0, 0, 0, end, 1]]).map((s) => [0, 0, s[2], s[3], 1, s[5] || ""]);
  const each = Math.floor((EVENTS - spans.length) / 8), step = end / each;
  for (let core = 1; core <= 8; core++) {
    for (let i = 0; i < each; i++) {
      spans.push([core, 1 + (i % 3), Math.floor(i * step), Math.max(1, Math.floor(step)), 1]);
    }
  }
  run.timeline = { rows, kinds: ["layer", "runs", "dma_wait", "barrier_wait"], resolution_cycles: 0, left_out: 0, spans };
  fs.writeFileSync(path.join(folder, "many.json"), JSON.stringify(run));
  execFileSync(tessera, ["report", path.join(folder, "many.json"), "-o", path.join(folder, "many.html")]);
  const page = await open(browser, path.join(folder, "many.html"), "light");
  console.log(spans.length + " events: " + fs.statSync(path.join(folder, "many.html")).size + " bytes, drawn after " + page.took + " ms");
  assert(page.took < LIMIT_MS, "too slow: " + page.took + " ms");
  const box = await page.locator("#timeline-chart").boundingBox();
  await page.locator("#timeline-chart").scrollIntoViewIfNeeded();
  await page.waitForTimeout(100);
  const now = await page.locator("#timeline-chart").boundingBox();
  await page.mouse.move(now.x + box.width / 2, now.y + now.height - 10);
  assert.match(await page.locator("#tip").textContent(), /^core 7/);
  await shoot(page, "many");
  await close(page);
}

(async () => {
  const browser = await chromium.launch({ executablePath, args: ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync"] });
  try {
    for (const scheme of ["light", "dark"]) {
      const page = await open(browser, path.join(folder, "a.html"), scheme);
      await shoot(page, "report-" + scheme);
      await tooltips(page);
      await zooms(page);
      await accessible(page);
      await close(page);
    }
    const compared = await open(browser, path.join(folder, "compared.html"), "light");
    assert.match(await compared.locator("#a-comparison .verdict").textContent(), /From A \(a\.json\) to B \(b\.json\): \w+/);
    assert((await compared.locator("#a-comparison tbody tr").count()) > 20);
    assert((await compared.locator("#a-change-chart rect").count()) > 5);
    assert((await compared.locator("#b-timeline-chart").count()) === 1);
    assert((await compared.locator("#b-noise-chart rect").count()) === 2);
    assert.match(await compared.locator("#b-summary .cards").textContent(), /Accuracy, top-190\.00 %float: 91\.00 %/);
    await shoot(compared, "compared");
    await compared.emulateMedia({ media: "print" });
    assert(!(await compared.locator("nav").isVisible()));
    await close(compared);
    const narrow = await open(browser, path.join(folder, "a.html"), "light");
    await narrow.setViewportSize({ width: 420, height: 800 });
    await accessible(narrow);
    await shoot(narrow, "narrow");
    await close(narrow);
    await manyEvents(browser);
  } finally {
    await browser.close();
  }
})().catch((error) => {
  console.error(error);
  process.exit(1);
});
