"""Draws the template's dashboard from what `cargo local --record` has written down: docs/dashboard.png.

Usage: draw_dashboard.py RECORD PICTURE

The local schedule ticks every 2 s instead of every minute, so each second is drawn as half a minute: the axis, and all that
is measured in seconds. Graphs, periods, tables and their places are as the body has them; alarms are evaluated as theirs say.
"""

import json
import math
import re
import sys
from collections import defaultdict
from pathlib import Path

import dashboard as boards
from matplotlib.figure import Figure
from matplotlib.patches import FancyBboxPatch
from matplotlib.ticker import MaxNLocator, MultipleLocator
from PIL import Image
from resources import of_type
from seen_from_outside import text
from translate import translate

ROOT = Path(__file__).parent.parent
STACK = "local"
# Seconds of CloudWatch to one of the run.
SPEED = 30
# A unit of the grid, and the gap between widgets, in inches. Each picture has 100 dots to an inch.
WIDTH, HEIGHT, GAP = 0.62, 0.44, 0.08
DOTS = 100
COLOURS = ["#0972d3", "#e07941", "#037f0c", "#c33d69", "#8456ce", "#9c7b00"]
INK, FAINT, LINE, PAGE = "#16191f", "#5f6b7a", "#e9ebed", "#f2f3f3"
STATES = {"OK": ("#037f0c", "#f2fcf3"), "ALARM": ("#d91515", "#fff0f0")}
Points = dict[tuple, list[tuple[float, float]]]


class Run:
    """What was measured, by metric, in seconds since the run began, and what was logged, by log group."""

    def __init__(self, path: Path, groups: dict[str, str]):
        self.points: Points = defaultdict(list)
        self.logs: dict[str, list[dict]] = defaultdict(list)
        records = [json.loads(line) for line in path.read_text().splitlines()]
        stamps = [record["line"]["_aws"]["Timestamp"] for record in records if "_aws" in record["line"]]
        self.start, self.end = min(stamps), (max(stamps) - min(stamps)) / 1000 * SPEED
        for record in records:
            fields = record["line"]
            if "_aws" in fields:
                self.measure(fields)
            if "function" in record:
                self.logs[groups[record["function"]]].append(dict(flat(fields)))

    def measure(self, fields: dict) -> None:
        at = (fields["_aws"]["Timestamp"] - self.start) / 1000 * SPEED
        for directive in fields["_aws"]["CloudWatchMetrics"]:
            for metric in directive["Metrics"]:
                name = metric["Name"]
                if metric.get("Unit") == "Seconds" or name == "ApproximateAgeOfOldestMessage":
                    fields[name] *= SPEED
                dimensions = frozenset((key, fields[key]) for key in directive["Dimensions"][0])
                self.points[directive["Namespace"], name, dimensions].append((at, fields[name]))

    def series(self, namespace: str, metric: str, dimensions, stat: str, period: float) -> dict[int, float]:
        """A statistic by the number of the period."""
        values = defaultdict(list)
        for at, value in self.points[namespace, metric, frozenset(dimensions)]:
            values[int(at // period)].append(value)
        return {number: statistic(stat, found) for number, found in sorted(values.items())}


def flat(value, name=""):
    """The fields of a log line as Logs Insights names them."""
    if isinstance(value, dict):
        for key, member in value.items():
            yield from flat(member, f"{name}.{key}" if name else key)
    else:
        yield name, value


def statistic(name: str, values: list[float]) -> float:
    if name in ("Sum", "Maximum", "Minimum"):
        return {"Sum": sum, "Maximum": max, "Minimum": min}[name](values)
    if name == "Average":
        return sum(values) / len(values)
    rank = math.ceil(float(name[1:]) / 100 * len(values))
    return sorted(values)[max(rank, 1) - 1]


# ---- Alarms


def alarm_states(run: Run, alarm: dict, parameters: dict) -> list[str]:
    """The state at the end of each period of the run."""
    dimensions = [(entry["Name"], dimension(entry["Value"])) for entry in alarm["Dimensions"]]
    namespace = text(alarm["Namespace"]).replace("${AWS::StackName}", STACK)
    period = alarm["Period"]
    series = run.series(namespace, alarm["MetricName"], dimensions, alarm["Statistic"], period)
    threshold = alarm["Threshold"]
    threshold = parameters[threshold["Ref"]]["Default"] if isinstance(threshold, dict) else threshold

    def is_bad(number: int) -> bool:
        if number not in series:
            return alarm["TreatMissingData"] == "breaching" and 0 <= number
        if alarm["ComparisonOperator"] == "LessThanThreshold":
            return series[number] < threshold
        return threshold <= series[number]

    states = []
    for number in range(max(1, int(run.end // period))):
        last = range(number - alarm["EvaluationPeriods"] + 1, number + 1)
        bad = sum(is_bad(one) for one in last)
        states.append("ALARM" if alarm["DatapointsToAlarm"] <= bad else "OK")
    return states


def dimension(value) -> str:
    """As the local stack names resources."""
    if isinstance(value, dict):
        name = value["Ref"] if "Ref" in value else value["Fn::GetAtt"][0]
        return f"{STACK}-{name}"
    return value


def draw_alarms(axes, properties: dict, run: Run, template: dict) -> None:
    names = [arn.rsplit(f"{STACK}-", 1)[1] for arn in properties["alarms"]]
    columns = math.ceil(len(names) / 2)
    axes.set(xlim=(0, columns), ylim=(2, 0))
    axes.axis("off")
    for place, name in enumerate(names):
        states = alarm_states(run, template["Resources"][name]["Properties"], template["Parameters"])
        x, y = place % columns, place // columns
        edge, fill = STATES[states[-1]]
        corners = "round,pad=0,rounding_size=0.03"
        axes.add_patch(FancyBboxPatch((x + 0.05, y + 0.1), 0.9, 0.8, boxstyle=corners, fc=fill, ec=edge, lw=1))
        words = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name.removesuffix("Alarm"))
        axes.text(x + 0.1, y + 0.3, words, fontsize=6.5, color=INK, va="center")
        axes.text(x + 0.1, y + 0.53, states[-1], fontsize=6.5, color=edge, va="center", weight="bold")
        step = 0.8 / len(states)
        for number, state in enumerate(states):
            strength = 1 if state == "ALARM" else 0.35
            axes.barh(y + 0.75, step, 0.12, x + 0.1 + number * step, color=STATES[state][0], alpha=strength)


# ---- Graphs


def draw_metrics(axes, properties: dict, run: Run) -> None:
    sides = {"left": axes}
    lines = []
    for place, metric in enumerate(properties["metrics"]):
        *name, rendering = metric
        dimensions = zip(name[2::2], name[3::2])
        stat = rendering.get("stat", properties["stat"])
        period = rendering.get("period", properties["period"])
        series = run.series(name[0], name[1], dimensions, stat, period)
        numbers = range(int(run.end // period))
        values = [series.get(number, math.nan) for number in numbers]
        hours = [number * period / 3600 for number in numbers]
        side = rendering.get("yAxis", "left")
        if side not in sides:
            sides[side] = axes.twinx()
        # With a mark, for a value between two gaps would be no line.
        style = {"color": COLOURS[place], "lw": 1.3, "marker": ".", "ms": 3.5, "clip_on": False}
        lines += sides[side].plot(hours, values, label=rendering["label"], **style)
    for one in sides.values():
        finish_axis(one)
    axes.set_xlim(0, run.end / 3600)
    axes.xaxis.set_major_locator(MultipleLocator(0.5))
    axes.xaxis.set_major_formatter(lambda hours, _: f"{int(hours)}:{int(hours % 1 * 60):02}")
    axes.grid(axis="y", color=LINE, lw=0.8)
    place = {"loc": "upper left", "bbox_to_anchor": (-0.04, -0.12), "ncols": 2}
    gaps = {"handlelength": 1, "columnspacing": 1, "labelspacing": 0.25}
    axes.legend(handles=lines, fontsize=6.5, frameon=False, labelcolor=INK, **place, **gaps)


def finish_axis(axes) -> None:
    _, top = axes.get_ylim()
    axes.set_ylim(0, max(top, 1))
    axes.yaxis.set_major_locator(MaxNLocator(4, integer=True))
    axes.tick_params(labelsize=6.5, colors=FAINT, length=0)
    axes.set_axisbelow(True)
    for side in ("top", "left", "right"):
        axes.spines[side].set_visible(False)
    axes.spines["bottom"].set_color(LINE)


# ---- Tables


def query(run: Run, words: str) -> tuple[list[str], list[list]]:
    """What Logs Insights answers to a query of the kinds that the body has: names of columns, and rows."""
    source, *steps = [step.strip() for step in words.split(" | ")]
    rows = run.logs[source.removeprefix("SOURCE '").removesuffix("'")]
    names: list[str] = []
    for step in steps:
        verb, rest = step.split(" ", 1)
        if verb == "filter":
            rows = [row for row in rows if any(holds(row, test) for test in rest.split(" or "))]
        elif verb == "stats":
            names, rows = grouped(rows, rest)
        elif verb == "sort":
            column, order = rest.split(" ")
            rows = sorted(rows, key=lambda row: row[names.index(column)], reverse=order == "desc")
        elif verb == "limit":
            rows = rows[: int(rest)]
        else:
            raise ValueError(f"no {verb} is known")
    return names, rows


def holds(row: dict, test: str) -> bool:
    if present := re.fullmatch(r"ispresent\(([\w.]+)\)", test):
        return present[1] in row
    field, least = re.fullmatch(r"([\w.]+) > (\d+)", test).groups()
    return float(row.get(field, 0)) > float(least)


def grouped(rows: list[dict], words: str) -> tuple[list[str], list[list]]:
    """`function(field) as name, … by field, …`"""
    wanted, by = words.split(" by ")
    keys = by.split(", ")
    functions = re.findall(r"(\w+)\(([\w.*]+)\) as (\w+)", wanted)
    groups = defaultdict(list)
    for row in rows:
        groups[tuple(row.get(key, "") for key in keys)].append(row)
    answers = []
    for group, members in groups.items():
        answer = list(group)
        for function, field, _ in functions:
            values = [float(row[field]) for row in members if field in row]
            answer.append(len(members) if function == "count" else round({"max": max, "sum": sum}[function](values)))
        answers.append(answer)
    return keys + [name for _, _, name in functions], answers


def draw_table(axes, properties: dict, run: Run) -> None:
    names, rows = query(run, properties["query"])
    axes.axis("off")
    axes.set(xlim=(0, 1), ylim=(9, 0))
    lefts = [place / len(names) for place in range(len(names))]
    for left, name in zip(lefts, names):
        axes.text(left, 0.5, name, fontsize=7, color=FAINT, weight="bold", va="center")
    axes.axhline(1, color="#b6bec9", lw=0.8)
    for place, row in enumerate(rows[:7]):
        for left, value in zip(lefts, row):
            shown = f"{value:,}" if isinstance(value, int) and value < 10**9 else str(value)
            axes.text(left, 1.6 + place, shown, fontsize=7, color=INK, va="center")
        axes.axhline(2.1 + place, color=LINE, lw=0.6)
    if len(rows) > 7:
        axes.text(0, 8.6, f"and {len(rows) - 7} more", fontsize=6.5, color=FAINT, va="center")


# ---- The whole


def draw(body: dict, run: Run, template: dict) -> Figure:
    widgets = body["widgets"]
    rows = max(widget["y"] + widget["height"] for widget in widgets)
    width, height = 24 * WIDTH + GAP, rows * HEIGHT + GAP
    figure = Figure(figsize=(width, height), facecolor=PAGE)

    def axes(left, top, right, bottom):
        """From inches, counted from the upper left corner."""
        return figure.add_axes((left / width, 1 - bottom / height, (right - left) / width, (bottom - top) / height))

    for widget in widgets:
        left, top = widget["x"] * WIDTH + GAP, widget["y"] * HEIGHT + GAP
        right, bottom = left + widget["width"] * WIDTH - GAP, top + widget["height"] * HEIGHT - GAP
        card = axes(left, top, right, bottom)
        card.set(xticks=[], yticks=[], facecolor="white")
        for spine in card.spines.values():
            spine.set_color("#d5dbdb")
        properties = widget["properties"]
        place = ((left + 0.12) / width, 1 - (top + 0.19) / height)
        figure.text(*place, properties["title"], fontsize=9, color=INK, weight="bold", va="center")
        if widget["type"] == "alarm":
            draw_alarms(axes(left + 0.08, top + 0.34, right - 0.08, bottom - 0.04), properties, run, template)
        elif widget["type"] == "metric":
            legend = 0.2 + 0.16 * math.ceil(len(properties["metrics"]) / 2)
            has_right_axis = any(metric[-1].get("yAxis") == "right" for metric in properties["metrics"])
            margin = 0.45 if has_right_axis else 0.2
            draw_metrics(axes(left + 0.45, top + 0.45, right - margin, bottom - legend - 0.2), properties, run)
        else:
            draw_table(axes(left + 0.15, top + 0.36, right - 0.15, bottom - 0.08), properties, run)
    return figure


def log_group(resources: dict, function: dict) -> str:
    """The name of the log group that a function writes to."""
    group = resources[function["LoggingConfig"]["LogGroup"]["Ref"]]
    return text(group["Properties"]["LogGroupName"]).replace("${AWS::StackName}", STACK)


def main() -> None:
    record, picture = map(Path, sys.argv[1:])
    template = translate((ROOT / "template.yaml").read_text())
    resources = template["Resources"]
    functions = of_type(resources, "AWS::Lambda::Function")
    run = Run(record, {name: log_group(resources, function) for name, function in functions})
    (_, dashboard), *_ = of_type(resources, "AWS::CloudWatch::Dashboard")
    body = boards.deployed(boards.body(dashboard, has_callbacks=True), resources, STACK)
    draw(body, run, template).savefig(picture, dpi=DOTS)
    # Few colours make a small file.
    Image.open(picture).convert("RGB").quantize(96, dither=Image.Dither.NONE).save(picture, optimize=True)


if __name__ == "__main__":
    main()
