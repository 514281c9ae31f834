// The colours of series by Grafana's own function: reads panels of series from standard input, writes their colours.
// Usage: node colours.cjs NODE_MODULES. The package as a whole wants a browser, its parts do not.
const path = require('node:path');
const part = (name) => require(path.resolve(process.argv[2], '@grafana/data/dist/cjs', name));
const { createTheme } = part('themes/createTheme.cjs');
const { getFieldSeriesColor } = part('field/fieldColor.cjs');

const panels = JSON.parse(require('node:fs').readFileSync(0, 'utf8'));
const answer = { dark: [], light: [] };
for (const mode of Object.keys(answer)) {
  const theme = createTheme({ colors: { mode } });
  for (const series of panels) {
    answer[mode].push(series.map(({ color }, seriesIndex) =>
      getFieldSeriesColor({ name: 'Value', type: 'number', values: [1], config: { color }, state: { seriesIndex } }, theme).color));
  }
}
process.stdout.write(JSON.stringify(answer));
