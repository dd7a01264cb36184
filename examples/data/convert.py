#!/usr/bin/env python3
"""Makes earthquakes.jsonl from the GeoJSON feed that the npm package vega-datasets ships.

    npm pack vega-datasets@3.2.1
    tar xzf vega-datasets-3.2.1.tgz package/data/earthquakes.json
    python3 examples/data/convert.py package/data/earthquakes.json examples/data/earthquakes.jsonl

Each event becomes one line. Lines are in the order in which the events were last revised
(`updated_at`), which is the order in which a subscriber of the feed would have seen them. The order
of `occurred_at` is therefore a different one: some networks report within minutes, others after days.
"""

import json
import sys
from datetime import datetime, timezone


def timestamp(milliseconds):
    """A UTC timestamp as SQL writes it: 2018-02-07 01:26:13.840."""
    moment = datetime.fromtimestamp(milliseconds // 1000, tz=timezone.utc)
    return f"{moment:%Y-%m-%d %H:%M:%S}.{milliseconds % 1000:03d}"


def record(feature):
    """The fields of one event."""
    properties = feature["properties"]
    longitude, latitude, depth = feature["geometry"]["coordinates"]
    return {
        "id": feature["id"],
        "occurred_at": timestamp(properties["time"]),
        "updated_at": timestamp(properties["updated"]),
        "network": properties["net"],
        "kind": properties["type"],
        "status": properties["status"],
        "magnitude": properties["mag"],
        "magnitude_type": properties["magType"],
        "place": properties["place"],
        "latitude": latitude,
        "longitude": longitude,
        "depth_km": depth,
    }


def main(source, target):
    with open(source, encoding="utf-8") as file:
        features = json.load(file)["features"]
    features.sort(key=lambda feature: (feature["properties"]["updated"], feature["id"]))
    with open(target, "w", encoding="utf-8", newline="\n") as file:
        for feature in features:
            file.write(json.dumps(record(feature), ensure_ascii=False, separators=(",", ":")))
            file.write("\n")
    print(f"{len(features)} events", file=sys.stderr)


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    main(sys.argv[1], sys.argv[2])
