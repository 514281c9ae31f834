// What a board must be, by Grafana's own types. Three things are told to the compiler besides: an enumeration of
// strings is one of those strings in JSON; a panel's options and drawing are those of its own kind; and queries and
// annotations are the ones of Prometheus' data source, whose types are not in the package.
import type {
  AnnotationQuery,
  Dashboard,
  DataQuery,
  FieldColor,
  FieldConfigSource,
  GraphFieldConfig,
  Panel,
  RowPanel,
  TableFieldOptions,
  ThresholdsConfig,
  ValueMapping,
} from '@grafana/schema';
import type { Options as BarGaugeOptions } from '@grafana/schema/dist/esm/raw/composable/bargauge/panelcfg/x/BarGaugePanelCfg_types.gen';
import type { Options as StatOptions } from '@grafana/schema/dist/esm/raw/composable/stat/panelcfg/x/StatPanelCfg_types.gen';
import type {
  FieldConfig as StateTimelineFieldConfig,
  Options as StateTimelineOptions,
} from '@grafana/schema/dist/esm/raw/composable/statetimeline/panelcfg/x/StateTimelinePanelCfg_types.gen';
import type { Options as TableOptions } from '@grafana/schema/dist/esm/raw/composable/table/panelcfg/x/TablePanelCfg_types.gen';
import type { Options as TextOptions } from '@grafana/schema/dist/esm/raw/composable/text/panelcfg/x/TextPanelCfg_types.gen';
import type { Options as TimeSeriesOptions } from '@grafana/schema/dist/esm/raw/composable/timeseries/panelcfg/x/TimeSeriesPanelCfg_types.gen';

export type Json<T> = unknown extends T
  ? unknown
  : T extends string
    ? `${T}`
    : T extends (infer Element)[]
      ? Json<Element>[]
      : T extends object
        ? { [Key in keyof T]: Json<T[Key]> }
        : T;

interface PrometheusQuery extends DataQuery {
  expr: string;
  instant: boolean;
  range: boolean;
  format: 'time_series' | 'table' | 'heatmap';
  legendFormat: string;
  editorMode: 'code' | 'builder';
}

interface PrometheusAnnotation extends AnnotationQuery<DataQuery & { expr: string; interval: string }> {
  titleFormat: string;
  textFormat: string;
  tagKeys: string;
}

type Property<Id extends string, Value> = { id: Id; value: Value };

// Grafana leaves the value of an override open; here each is what the field that it overrides would be.
type Override = {
  matcher: { id: 'byName' | 'byRegexp' | 'byFrameRefID'; options: string };
  properties: (
    | Property<'unit' | 'noValue', string>
    | Property<'decimals' | 'min' | 'max', number>
    | Property<'mappings', ValueMapping[]>
    | Property<'thresholds', ThresholdsConfig>
    | Property<'color', FieldColor>
    | Property<'links', { title: string; url: string }[]>
    | Property<'custom.width' | 'custom.minWidth', number>
    | Property<'custom.cellOptions', TableFieldOptions['cellOptions']>
    | Property<'custom.lineStyle', GraphFieldConfig['lineStyle']>
    | Property<'custom.fillOpacity', number>
    | Property<'custom.stacking', GraphFieldConfig['stacking']>
  )[];
};

type Defaults<Drawing> = Omit<FieldConfigSource['defaults'], 'custom'> & { custom?: Drawing };

type Kind<Type extends string, Options, Drawing> = Omit<Panel, 'type' | 'options' | 'targets' | 'fieldConfig'> & {
  type: Type;
  title: string;
  description: string;
  options: Options;
  targets: PrometheusQuery[];
  fieldConfig: { defaults: Defaults<Drawing>; overrides: Override[] };
};

type TextPanel = Omit<Panel, 'type' | 'options'> & {
  type: 'text';
  title: string;
  description: string;
  options: TextOptions;
};

type BoardPanel =
  | Kind<'bargauge', BarGaugeOptions, never>
  | Kind<'stat', StatOptions, never>
  | Kind<'state-timeline', StateTimelineOptions, StateTimelineFieldConfig>
  | Kind<'table', TableOptions, TableFieldOptions>
  | TextPanel
  | Kind<'timeseries', TimeSeriesOptions, GraphFieldConfig>
  | RowPanel;

export type Board = Json<
  Omit<Dashboard, 'panels' | 'annotations'> & {
    uid: string;
    title: string;
    panels: BoardPanel[];
    annotations: { list: PrometheusAnnotation[] };
  }
>;
