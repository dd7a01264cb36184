# Copyright the Tidegate authors. Licensed under the Apache License, Version 2.0.
"""What record.py asks: for each section its description, the kind of request, and what makes the cases."""
import cases_aggregation
import cases_aggregation_more
import cases_casts
import cases_casts_more
import cases_catalogs
import cases_decimals
import cases_documented
import cases_expressions
import cases_formats
import cases_functions_changelog
import cases_functions_collection
import cases_functions_json
import cases_functions_number
import cases_functions_other
import cases_functions_rest
import cases_functions_table
import cases_functions_text
import cases_functions_time
import cases_group_windows
import cases_io
import cases_joins
import cases_nexmark
import cases_over
import cases_patterns
import cases_ranking
import cases_sets
import cases_sinks
import cases_statements
import cases_temporal
import cases_windows

RELATIONAL = ("Bounded files at parallelism 1; `plan` is the physical plan with its changelog modes. The rows between the first and the last depend on the order "
              "of arrival; of cases that are `interleaved` (two inputs) only the folded table is a fact")

SCALAR = "`from` is a table whose columns hold the texts of its rows, cast; nothing of it is folded. `strings` and literals as in `expressions`"

SECTIONS = {
    "casts": ("CAST and TRY_CAST between types; rendering of every type as STRING. Cases with `strings` run over a source src(i INT, s STRING) with those rows; the others are literals, which Calcite partly folds by rules of its own",
              "eval", cases_casts.casts),
    "expressions": ("scalar expressions over literals and, where there is `strings`, over a source src(i INT, s STRING) with those rows", "eval", cases_expressions.expressions),
    "text_functions": ("functions of texts. " + SCALAR, "eval", cases_functions_text.texts),
    "time_functions": ("functions of dates, times, timestamps and intervals, in several session zones. " + SCALAR, "eval", cases_functions_time.times),
    "collection_functions": ("arrays, maps and rows. " + SCALAR, "eval", cases_functions_collection.collections),
    "json_functions": ("JSON in texts, VARIANT. " + SCALAR, "eval", cases_functions_json.json),
    "number_functions": ("operators and functions of numbers. " + SCALAR, "eval", cases_functions_number.numbers),
    "other_functions": ("logic, comparison, conditions, types, addresses, hashes, bitmaps, structured objects. " + SCALAR, "eval", cases_functions_other.others),
    "casts_more": ("CAST and TRY_CAST of columns of each type, types that `casts` has not, odd texts, several session zones. " + SCALAR, "eval", cases_casts_more.casts),
    "decimals": ("decimals at drawn precisions and scales. " + SCALAR, "eval", cases_decimals.decimals),
    "more_functions": ("functions of which the sections above have few cases. " + SCALAR, "eval", cases_functions_rest.rest),
    "windows": ("windows over bounded files at parallelism 1; each case is a whole request of the oracle. Order of rows of one firing is not a fact", "script", cases_windows.windows),
    "print": ("lines of the print connector (`printed`), what SELECT shows, names of columns, datagen", "script", cases_io.prints),
    "errors": ("what is refused and when; with the chain of messages", "script-chain", cases_io.errors),
    "json_csv": ("formats JSON, CSV and raw, read and written through the filesystem connector; `files` of an answer is what was written", "script", cases_io.formats),
    "change_formats": ("formats of changes as JSON, read through the filesystem connector into print, and written; `files` of an answer is what was written", "script", cases_formats.change_formats),
    "aggregation": ("unbounded aggregation. " + RELATIONAL, "script", cases_aggregation.aggregation),
    "aggregates_more": ("aggregates that make JSON and bitmaps, PERCENTILE. " + RELATIONAL, "script", cases_aggregation_more.aggregates),
    "stream_functions": ("CURRENT_WATERMARK, SOURCE_WATERMARK. " + RELATIONAL, "script", cases_functions_table.streams),
    "changelogs": ("TO_CHANGELOG, FROM_CHANGELOG. " + RELATIONAL, "script", cases_functions_changelog.changelogs),
    "grouping": ("DISTINCT, FILTER, grouping sets, nested aggregates, changing inputs. " + RELATIONAL, "script", cases_aggregation.grouping),
    "ranking": ("Top-N, deduplication, window Top-N. " + RELATIONAL, "script", cases_ranking.ranking),
    "over": ("OVER. " + RELATIONAL, "script", cases_over.over),
    "patterns": ("MATCH_RECOGNIZE. " + RELATIONAL, "script", cases_patterns.patterns),
    "joins": ("regular joins. " + RELATIONAL, "script", cases_joins.joins),
    "unnest": ("UNNEST and LATERAL. " + RELATIONAL, "script", cases_joins.unnest),
    "lookups": ("lookup joins with a CSV file. " + RELATIONAL, "script", cases_joins.lookups),
    "interval_joins": ("interval joins. " + RELATIONAL, "script", cases_temporal.intervals),
    "window_joins": ("window joins. " + RELATIONAL, "script", cases_temporal.windows),
    "version_joins": ("joins with versions of a table by event time. " + RELATIONAL, "script", cases_temporal.versions),
    "sets": ("set operations, IN, EXISTS, scalar subqueries. " + RELATIONAL, "script", cases_sets.sets),
    "queries": ("VALUES, WITH, ORDER BY, LIMIT. " + RELATIONAL, "script", cases_sets.queries),
    "group_windows": ("group windows, early and late firing. " + RELATIONAL, "script", cases_group_windows.group_windows),
    "explain": ("EXPLAIN in all its details; `rows` hold the text", "script", cases_statements.explains),
    "plans": ("COMPILE PLAN and EXECUTE PLAN; `files` of an answer holds the plan", "script", cases_statements.plans),
    "statements": ("DESCRIBE, SHOW, LIKE, CREATE TABLE AS, ALTER", "script", cases_statements.statements),
    "catalogs": ("catalogs and databases, full names, partitions, buckets, functions, named arguments, hints", "script", cases_catalogs.catalogs),
    "refusals": ("what is refused of the relational surface; with the chain of messages", "script-chain", cases_statements.refusals),
    "sinks": ("sinks of changes, upsert materialisation, ON CONFLICT, debezium-json. " + RELATIONAL, "script", cases_sinks.sinks),
    "nexmark": ("the queries of examples/nexmark over the same 110 events. " + RELATIONAL, "script", cases_nexmark.nexmark),
    "documented": ("examples of Flink's documentation. " + RELATIONAL, "script", cases_documented.documented),
}
