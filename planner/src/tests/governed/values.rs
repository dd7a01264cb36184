//! E12: what masks make of values, computed as a source does it.

use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch, RecordBatchOptions, StringViewArray, new_null_array};
use tidegate_functions::{EvalContext, Evaluator, Zone, cast};
use tidegate_plan::arrow_type::{arrow_schema, data_type};
use tidegate_plan::operator::{Mask, Source};
use tidegate_plan::{Operator, PlanSettings};

use super::{Shop, access, job};
use crate::governed::ColumnAccess;

/// The source of a query over a table of a definition, with a mask on some columns.
fn source(columns: &str, masks: &[(&str, Mask)], query: &str) -> Source {
    let mut shop = Shop::new();
    let definition = format!("CREATE TABLE t ({columns}) WITH ('connector' = 'datagen')");
    shop.add("my-project", "default", "t", &definition);
    let masks: Vec<_> =
        masks.iter().map(|(name, mask)| (*name, ColumnAccess::Masked(*mask))).collect();
    shop.table_mut(["my-project", "default", "t"]).columns = access(&masks);
    let plan = job(shop, query);
    match plan.nodes.into_iter().next().unwrap().operator {
        Operator::Source(source) => source,
        other => panic!("{other:?}"),
    }
}

/// The output of a source whose texts are these, and whose other columns are NULL.
fn output(source: &Source, texts: &[Option<&str>]) -> Vec<Vec<Option<String>>> {
    let column = |field: &tidegate_types::Field| -> ArrayRef {
        match field.ty.kind.is_text() {
            true => Arc::new(texts.iter().copied().collect::<StringViewArray>()),
            false => new_null_array(&data_type(&field.ty), texts.len()),
        }
    };
    let read: Vec<ArrayRef> = source.read.iter().map(column).collect();
    let nullable = source.read.iter().cloned().map(|mut field| {
        field.ty.nullable = true;
        field
    });
    let nullable: Vec<_> = nullable.collect();
    let options = RecordBatchOptions::new().with_row_count(Some(texts.len()));
    let batch = RecordBatch::try_new_with_options(arrow_schema(&nullable), read, &options).unwrap();
    let settings = PlanSettings::default();
    let columns = source.projection.iter().map(|named| {
        let evaluator = Evaluator::compile(&named.expr, &settings).unwrap();
        let values = evaluator.evaluate(&batch, &EvalContext::at(0)).unwrap();
        assert_eq!(values.data_type(), &data_type(named.expr.ty()), "{}", named.name);
        let shown = cast::render(&values, named.expr.ty(), &Zone::parse("UTC").unwrap()).unwrap();
        shown.iter().map(|text| text.map(str::to_owned)).collect()
    });
    columns.collect()
}

#[test]
fn e12_texts_become_null_digests_or_stars() {
    let columns = "s STRING, v VARCHAR(11), c CHAR(11), up AS UPPER(s), plain STRING";
    let query = "SELECT s, v, c, up, plain FROM t";
    let texts = [Some("13812345678"), None, Some("ab")];
    let shown = |mask| {
        let masks = [("s", mask), ("v", mask), ("c", mask)];
        output(&source(columns, &masks, query), &texts)
    };
    let some = |texts: [Option<&str>; 3]| texts.map(|text| text.map(str::to_owned)).to_vec();
    let none = some([None, None, None]);
    let plain = some(texts);
    assert_eq!(shown(Mask::Null), [&none, &none, &none, &none, &plain].map(Clone::clone));
    let stars = some([Some("13*******78"), None, Some("**")]);
    assert_eq!(shown(Mask::Partial), [&stars, &stars, &stars, &stars, &plain].map(Clone::clone));
    // As `printf 13812345678 | sha256sum` has it.
    let (first, second) = (
        "38aed9048140b0e437ea81461d9ea4524169f6795004da120bcf7d41894e4d15",
        "fb8e20fc2e4c3f248c60c39bd652f3c1347298bb977b8b4d5903b85055620603",
    );
    let digests = some([Some(first), None, Some(second)]);
    let upper = digests.iter().map(|text| text.as_ref().map(|text| text.to_uppercase())).collect();
    assert_eq!(shown(Mask::Hash), [digests.clone(), digests.clone(), digests, upper, plain]);
}

#[test]
fn e12_values_of_every_type_become_null() {
    let columns = "a BOOLEAN NOT NULL, b TINYINT, c INT NOT NULL, d BIGINT, e FLOAT, f DOUBLE, g DECIMAL(20, 4), h DATE, i TIME,
        j TIMESTAMP(3), k TIMESTAMP(9), l TIMESTAMP_LTZ(6) NOT NULL, m BYTES, n ARRAY<INT>, o MAP<STRING, INT> NOT NULL,
        p ROW<x INT, y ARRAY<STRING>>, q MULTISET<INT>, r STRING NOT NULL";
    let names: Vec<String> = ('a'..='r').map(String::from).collect();
    for mask in Mask::ALL {
        let masks: Vec<(&str, Mask)> =
            names.iter().filter(|name| *name != "r").map(|name| (name.as_str(), mask)).collect();
        let mut masks = masks;
        masks.push(("r", Mask::Null));
        let source = source(columns, &masks, &format!("SELECT {} FROM t", names.join(", ")));
        // There must be rows to count.
        assert_eq!(source.read.len(), 1);
        let shown = output(&source, &[Some("secret"), None]);
        assert_eq!(shown.len(), names.len());
        assert!(shown.iter().flatten().all(Option::is_none), "{shown:?}");
        assert!(source.projection.iter().all(|named| named.expr.ty().nullable));
    }
}
