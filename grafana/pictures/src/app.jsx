// Lays a board out, asks Prometheus, and draws with Grafana's components.
import { createRoot } from 'react-dom/client';
import { Global } from '@emotion/react';
import { lastValueFrom } from 'rxjs';
import { applyFieldOverrides, createTheme, dateMath, dateTime, dateTimeFormat, getFieldDisplayName, getFieldSeriesColor, rangeUtil, transformDataFrame, toDataFrame, setTimeZoneResolver } from '@grafana/data';
import { initPluginTranslations } from '@grafana/i18n';
import { GlobalStyles, Icon, PanelChrome, ThemeContext } from '@grafana/ui';
import { register, registryFor } from './fields';
import { queryAnnotations, queryPanel } from './prometheus';
import { interpolate, resolveVariables } from './variables';
import { Viz } from './panels';

const ROW = 30, GAP = 8, COLUMNS = 24, EDGE = 16;
const job = window.__job;
window.__errors = [];
const timeZone = 'browser';

function span(from, to) {
  return { from: dateMath.toDateTime(from, { roundUp: false }), to: dateMath.toDateTime(to, { roundUp: true }), raw: { from, to } };
}

/** Panels with their place: rows, repeats (rows of equal width that push down what follows). */
function place(board, variables, single) {
  const placed = [];
  let shift = 0;
  const panels = board.panels.flatMap((p) => [p, ...(p.type === 'row' && !p.collapsed ? p.panels ?? [] : [])]).sort((a, b) => a.gridPos.y - b.gridPos.y || a.gridPos.x - b.gridPos.x);
  for (const panel of panels) {
    const g = { ...panel.gridPos, y: panel.gridPos.y + shift };
    const v = panel.repeat && variables[panel.repeat];
    if (!v) { placed.push({ panel, g, scoped: variables }); continue; }
    let values = v.isAll ? v.options : v.value;
    if (!values.length) values = ['']; // one empty repeat, as Grafana does
    const perRow = Math.min(values.length, panel.maxPerRow || 4) || 1;
    values.forEach((value, i) => placed.push({ panel, key: value, scoped: { ...variables, [v.name]: { ...v, value: [value], isAll: false } },
      g: panel.repeatDirection === 'v' ? { ...g, y: g.y + i * g.h } : { x: (i % perRow) * (COLUMNS / perRow), y: g.y + Math.floor(i / perRow) * g.h, w: COLUMNS / perRow, h: g.h } }));
    shift += (panel.repeatDirection === 'v' ? values.length - 1 : Math.ceil(values.length / perRow) - 1) * g.h;
  }
  if (single) { let y = 0; for (const p of placed) { p.g = { x: 0, y, w: COLUMNS, h: p.g.h }; y += p.g.h; } }
  return placed;
}

const deepReplace = (text, variables, scopedVars) => interpolate(text, variables, {}, 'text').replace(/\$\{__data\.fields(?:\.|\[)["']?([^"'}\].]+)["']?\]?(?:\.(numeric|text))?\}|\$\{__value\.(\w+)\}/g, (all, name, kind) => {
  const context = scopedVars?.__dataContext?.value;
  const field = context?.frame?.fields.find((f) => (f.config.displayName ?? f.state?.displayName ?? f.name) === name || f.name === name);
  if (!field) return all;
  const value = field.values[context.rowIndex ?? 0];
  return kind === 'numeric' ? value : field.display ? field.display(value).text : value;
});

async function load(entry, columnWidth, range, theme) {
  const { panel, g, scoped } = entry;
  const box = { left: EDGE + g.x * (columnWidth + GAP), top: g.y * (ROW + GAP), width: g.w * columnWidth + (g.w - 1) * GAP, height: g.h * ROW + (g.h - 1) * GAP };
  // The present of a picture is the end of its range.
  const own = panel.timeFrom ? { ...range, from: dateTime(range.to).subtract(rangeUtil.intervalToMs(panel.timeFrom), 'ms') } : range;
  const replace = (text, scopedVars) => deepReplace(text, scoped, scopedVars);
  let frames = [];
  if (panel.targets?.length) {
    frames = (await queryPanel(panel, { range: own, width: Math.round(box.width), variables: scoped, scrapeInterval: job.scrapeInterval, errors: window.__errors })).map(toDataFrame);
    frames = await lastValueFrom(transformDataFrame(panel.transformations ?? [], frames, { interpolate: (s) => replace(s) }));
    frames = applyFieldOverrides({ data: frames, fieldConfig: panel.fieldConfig ?? { defaults: {}, overrides: [] }, fieldConfigRegistry: registryFor(panel), replaceVariables: replace, theme, timeZone });
  }
  return { ...entry, box, frames, range: own, replace, title: interpolate(panel.title, scoped, {}, 'text') };
}

function Panel({ entry, annotations, theme, variables }) {
  const { panel, box, frames, range, replace, title } = entry;
  if (panel.type === 'row') {
    return (
      <div style={{ position: 'absolute', ...box, display: 'flex', alignItems: 'center', gap: 8, fontSize: theme.typography.h5.fontSize, fontWeight: theme.typography.fontWeightMedium }}>
        <Icon name={panel.collapsed ? 'angle-right' : 'angle-down'} /><span>{title}</span>
        {panel.collapsed && <span style={{ color: theme.colors.text.secondary, fontSize: 12 }}>({panel.panels?.length} panels)</span>}
      </div>
    );
  }
  const info = panel.timeFrom && !panel.hideTimeOverride && (
    <PanelChrome.TitleItem><span style={{ color: theme.colors.text.link, display: 'flex', gap: 4, alignItems: 'center', fontSize: 12, whiteSpace: 'nowrap' }}><Icon name="clock-nine" size="sm" /> {rangeUtil.describeTimeRange({ from: `now-${panel.timeFrom}`, to: 'now' })}</span></PanelChrome.TitleItem>
  );
  return (
    <div style={{ position: 'absolute', ...box }}>
      <PanelChrome title={title} description={panel.description ? () => panel.description : ''} width={box.width} height={box.height} displayMode={panel.transparent ? 'transparent' : 'default'} titleItems={info || undefined}>
        {(width, height) => <Viz panel={panel} frames={frames} width={width} height={height} range={range} timeZone={timeZone} theme={theme} replace={replace} annotations={panel.timeFrom ? [] : annotations} variables={variables} />}
      </PanelChrome>
    </div>
  );
}

/** An imitation of the toolbar, so that a picture says which choices it shows. */
function Head({ board, variables, range, theme }) {
  const chip = { border: `1px solid ${theme.colors.border.medium}`, background: theme.components.input.background, borderRadius: 2, height: 32, lineHeight: '30px', padding: '0 8px' };
  const label = { ...chip, background: theme.colors.background.primary, border: `1px solid ${theme.colors.border.weak}`, borderRight: 0, fontWeight: 500, fontSize: 12 };
  const stamp = (t) => dateTimeFormat(t, { timeZone });
  return (
    <div style={{ padding: `8px ${EDGE}px 16px`, display: 'flex', gap: 8, flexWrap: 'wrap', alignItems: 'center' }}>
      {Object.values(variables).filter((v) => v.hide !== 2).map((v) => <div key={v.name} style={{ display: 'flex' }}><div style={label}>{v.label}</div><div style={chip}>{v.isAll ? 'All' : v.value.join(' + ')}</div></div>)}
      {(board.annotations?.list ?? []).filter((a) => !a.builtIn && !a.hide).map((a) => <div key={a.name} style={{ display: 'flex' }}><div style={label}>{a.name}</div><div style={chip}>{a.enable ? 'on' : 'off'}</div></div>)}
      <div style={{ flexGrow: 1 }} />
      {(board.links ?? []).map((l) => <div key={l.title} style={{ ...chip, background: theme.colors.secondary.main }}><Icon name={l.icon === 'dashboard' ? 'apps' : 'external-link-alt'} /> {l.title}</div>)}
      <div style={{ ...chip, background: theme.colors.secondary.main }}><Icon name="clock-nine" /> {stamp(range.from)} to {stamp(range.to)}</div>
    </div>
  );
}

async function main() {
  await initPluginTranslations('grafana');
  register();
  setTimeZoneResolver(() => timeZone);
  const { board } = job;
  const theme = createTheme({ colors: { mode: job.theme } });
  const range = span(job.from ?? board.time?.from ?? 'now-6h', job.to ?? board.time?.to ?? 'now');
  const variables = await resolveVariables(board, range, job.variables);
  const columnWidth = (job.width - 2 * EDGE - GAP * (COLUMNS - 1)) / COLUMNS;
  const placed = place(board, variables, job.width < 769);
  const annotations = await queryAnnotations(board, { range, variables, width: job.width, scrapeInterval: job.scrapeInterval });
  await document.fonts.ready;
  const entries = [];
  for (const entry of placed) entries.push(await load(entry, columnWidth, range, theme));
  const height = Math.max(...entries.map((e) => e.box.top + e.box.height)) + EDGE;
  const App = () => (
    <ThemeContext.Provider value={theme}>
      <GlobalStyles />
      <Global styles={{ 'html, body': { background: theme.colors.background.canvas, overflow: 'visible', height: 'auto', margin: 0 }, '.markdown-html p:last-child': { marginBottom: 0 } }} />
      <div style={{ padding: `12px ${EDGE}px 0`, fontSize: 14, color: theme.colors.text.primary }}>Home <span style={{ color: theme.colors.text.secondary }}>›</span> Dashboards <span style={{ color: theme.colors.text.secondary }}>›</span> <b style={{ fontWeight: 500 }}>{board.title}</b></div>
      <Head board={board} variables={variables} range={range} theme={theme} />
      <div id="board" style={{ position: 'relative', width: job.width, height }}>
        {entries.map((e, i) => <Panel key={i} entry={e} annotations={annotations} theme={theme} variables={e.scoped} />)}
      </div>
    </ThemeContext.Provider>
  );
  for (const weight of [400, 500]) await document.fonts.load(`${weight} 14px Inter`).catch(() => {});
  createRoot(document.getElementById('root')).render(<App />);
  // Once more when the fonts are there, since text is measured.
  await new Promise((r) => setTimeout(r, 400));
  await document.fonts.ready;
  window.__panels = entries.map((e) => ({ title: e.title, type: e.panel.type, frames: e.frames.length, rows: e.frames.reduce((n, f) => n + f.length, 0),
    ...(e.panel.type === 'timeseries' ? { colors: Object.fromEntries(e.frames.flatMap((f) => f.fields.filter((x) => x.type === 'number').map((x) => [getFieldDisplayName(x, f, e.frames), getFieldSeriesColor(x, theme).color]))) } : {}) }));
  await new Promise((r) => setTimeout(r, 800));
  window.__done = true;
}
main().catch((error) => { window.__errors.push(String(error.stack ?? error)); window.__done = true; });
