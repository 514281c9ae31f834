// Command line: serves the bundle on loopback, hands Prometheus through, takes the picture.
import fs from 'node:fs';
import http from 'node:http';
import path from 'node:path';
import { execFileSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import puppeteer from 'puppeteer-core';

const here = path.dirname(path.dirname(fileURLToPath(import.meta.url)));
const USAGE = `usage: render BOARD.json PROMETHEUS_URL OUT.png [--from now-6h] [--to now] [--var name=value ...]
              [--theme dark|light] [--width 1600] [--scale 1] [--timezone UTC] [--scrape-interval 15s] [--panel TITLE] [--height PIXELS]
              [--verbose]   (exit 1 where a query or a panel failed)`;
const { values: o, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    from: { type: 'string' }, to: { type: 'string' }, var: { type: 'string', multiple: true, default: [] },
    theme: { type: 'string', default: 'dark' }, width: { type: 'string', default: '1600' }, scale: { type: 'string', default: '1' },
    timezone: { type: 'string', default: 'UTC' }, 'scrape-interval': { type: 'string', default: '15s' }, panel: { type: 'string' }, height: { type: 'string' },
    verbose: { type: 'boolean', default: false }, help: { type: 'boolean', short: 'h' },
  },
});
if (o.help || positionals.length !== 3) { console.error(USAGE); process.exit(o.help ? 0 : 2); }
const [boardPath, prometheus, out] = positionals;
const board = JSON.parse(fs.readFileSync(boardPath, 'utf8'));
const sources = ['app.jsx', 'panels.jsx', 'timeline.jsx', 'prometheus.js', 'variables.js', 'fields.js'].map((f) => fs.statSync(path.join(here, 'src', f)).mtimeMs);
const bundle = path.join(here, 'dist/app.js');
if (!fs.existsSync(bundle) || fs.statSync(bundle).mtimeMs < Math.max(...sources)) execFileSync(process.execPath, [path.join(here, 'build.mjs')], { stdio: 'inherit' });

const width = Number(o.width);
const job = { board, from: o.from, to: o.to, theme: o.theme, width, scrapeInterval: o['scrape-interval'], variables: Object.fromEntries(o.var.map((v) => [v.slice(0, v.indexOf('=')), v.slice(v.indexOf('=') + 1)])) };
const page = `<!doctype html><html><head><meta charset="utf-8"><link rel="stylesheet" href="/app.css"><script>window.__grafana_public_path__='/public/';window.__job=${JSON.stringify(job).replaceAll('<', '\\u003c')}</script></head><body><div id="root"></div><script src="/app.js"></script></body></html>`;
const TYPES = { '.js': 'text/javascript', '.css': 'text/css', '.svg': 'image/svg+xml', '.woff2': 'font/woff2' };
const server = http.createServer(async (request, response) => {
  const url = new URL(request.url, 'http://x');
  if (url.pathname === '/') return response.setHeader('content-type', 'text/html').end(page);
  if (url.pathname === '/favicon.ico') return response.writeHead(204).end();
  if (url.pathname.startsWith('/prometheus/')) {
    try {
      const to = prometheus.replace(/\/$/, '') + url.pathname.slice('/prometheus'.length);
      const answer = await (url.pathname.includes('/query') ? fetch(to, { method: 'POST', body: url.searchParams }) : fetch(to + url.search));
      response.writeHead(answer.status, { 'content-type': 'application/json' }).end(await answer.text());
    } catch (error) { response.writeHead(502).end(JSON.stringify({ status: 'error', error: String(error.cause ?? error) })); }
    return;
  }
  const file = path.join(here, 'dist', path.normalize(url.pathname));
  if (!file.startsWith(path.join(here, 'dist')) || !fs.existsSync(file) || !fs.statSync(file).isFile()) return response.writeHead(404).end();
  response.setHeader('content-type', TYPES[path.extname(file)] ?? 'application/octet-stream').end(fs.readFileSync(file));
});
await new Promise((ready) => server.listen(0, '127.0.0.1', ready));

const browser = await puppeteer.launch({ executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium', headless: true, args: ['--no-sandbox', '--disable-gpu', '--hide-scrollbars', '--force-color-profile=srgb'], env: { ...process.env, TZ: o.timezone } });
let failed = false;
try {
  const tab = await browser.newPage();
  tab.on('pageerror', (e) => { failed = true; console.error('page error:', e.stack ?? e.message); });
  tab.on('console', (m) => { if (o.verbose) console.error(`[${m.type()}]`, m.text()); });
  tab.on('requestfailed', (r) => o.verbose && console.error('failed:', r.url()));
  tab.on('response', (r) => o.verbose && r.status() >= 400 && console.error(r.status(), r.url()));
  await tab.setViewport({ width, height: 2400, deviceScaleFactor: Number(o.scale) });
  await tab.goto(`http://127.0.0.1:${server.address().port}/`);
  await tab.waitForFunction('window.__done === true', { timeout: 120000 });
  const height = await tab.evaluate(() => Math.ceil(document.getElementById('root').getBoundingClientRect().height));
  await tab.setViewport({ width, height: Math.max(height, 200), deviceScaleFactor: Number(o.scale) });
  await new Promise((r) => setTimeout(r, 500));
  const errors = await tab.evaluate(() => window.__errors);
  for (const e of errors) { failed = true; console.error(e); }
  if (o.verbose) console.error(JSON.stringify(await tab.evaluate(() => window.__panels)));
  const target = o.panel ? await tab.$(`[data-testid="data-testid Panel header ${o.panel}"]`) : null;
  await (target ?? tab).screenshot(o.height ? { path: out, clip: { x: 0, y: 0, width, height: Number(o.height) } } : { path: out });
  console.log(`${out}: ${width} x ${height}`);
} finally {
  await browser.close();
  server.close();
}
process.exitCode = failed ? 1 : 0;
