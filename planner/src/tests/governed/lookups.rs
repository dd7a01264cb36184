//! E12: masks of tables that are looked up.

use tidegate_plan::operator::{LookupJoin, Mask};
use tidegate_plan::{Expr, Operator, StreamGraph};
use tidegate_types::ErrorCode;

use super::{Shop, access, job, refused};
use crate::explain;
use crate::governed::ColumnAccess;

fn shop(columns: &[(&str, ColumnAccess)]) -> Shop {
    let mut shop = Shop::new();
    shop.table_mut(["my-project", "crm", "customers"]).columns = access(columns);
    shop
}

fn masked(mask: Mask) -> ColumnAccess {
    ColumnAccess::Masked(mask)
}

/// A lookup of customers: which columns, by what.
fn script(columns: &str, on: &str) -> String {
    format!(
        "SELECT o.id, {columns} FROM orders AS o
         LEFT JOIN crm.customers FOR SYSTEM_TIME AS OF o.at_clock AS c ON {on}"
    )
}

fn lookup(plan: &StreamGraph) -> &LookupJoin {
    let lookups = plan.nodes.iter().filter_map(|node| match &node.operator {
        Operator::LookupJoin(join) => Some(join),
        _ => None,
    });
    lookups.into_iter().next().unwrap()
}

#[test]
fn e12_what_is_looked_up_is_masked_right_behind_the_join() {
    let columns = [
        ("name", masked(Mask::Partial)),
        ("mail", masked(Mask::Hash)),
        ("born", masked(Mask::Null)),
    ];
    let plan =
        job(shop(&columns), &script("c.id AS cid, c.name, c.mail, c.born", "o.customer = c.id"));
    let join = lookup(&plan);
    assert_eq!(join.table.reference(), Some("projects/my-project/databases/crm/tables/customers"));
    assert_eq!(
        join.read.iter().map(|field| field.name.as_str()).collect::<Vec<_>>(),
        ["id", "name", "mail"]
    );
    assert_eq!(join.output, [0, 1, 2]);
    let last = &plan.nodes[plan.nodes.len() - 2];
    let text = explain(&plan);
    assert!(text.contains("$MASK_PARTIAL(name)") && text.contains("SHA256(mail)"), "{text}");
    let shown: Vec<String> =
        last.schema.iter().map(|field| format!("{} {}", field.name, field.ty)).collect();
    assert_eq!(shown, ["id BIGINT", "cid STRING", "name STRING", "mail STRING", "born DATE"]);
    let masks = &join.table.governed.as_ref().unwrap().masks;
    assert_eq!(masks.len(), 3);
}

#[test]
fn e12_conditions_of_a_lookup_see_the_mask() {
    let plan = job(
        shop(&[("mail", masked(Mask::Hash))]),
        &script("c.name", "o.customer = c.id AND c.mail = o.phone AND c.mail <> 'x'"),
    );
    let join = lookup(&plan);
    assert_eq!(join.keys.len(), 1);
    let mail = plan_width(&plan) + join.read.iter().position(|f| f.name == "mail").unwrap();
    let mut seen = 0;
    join.condition.as_ref().unwrap().walk(&mut |expr| {
        if let Expr::Call { function, args, .. } = expr {
            let raw =
                args.iter().any(|arg| matches!(arg, Expr::Column { index, .. } if *index == mail));
            assert!(!raw || function.name == "SHA256", "{expr:?}");
            seen += usize::from(function.name == "SHA256");
        }
    });
    assert_eq!(seen, 2);
}

/// How many columns the input of the lookup has.
fn plan_width(plan: &StreamGraph) -> usize {
    let node = plan.nodes.iter().find(|node| matches!(node.operator, Operator::LookupJoin(_)));
    plan.nodes[node.unwrap().inputs[0].node].schema.len()
}

#[test]
fn e12_a_masked_column_is_no_key_of_a_lookup() {
    for mask in Mask::ALL {
        let error = refused(shop(&[("id", masked(mask))]), &script("c.name", "o.customer = c.id"));
        assert_eq!(error.code(), ErrorCode::Unsupported, "{error}");
        assert!(error.to_string().contains("of a key that you read without a mask"), "{error}");
        assert!(error.span().is_some(), "{error}");
    }
}

#[test]
fn n11_denied_columns_of_a_lookup_are_refused() {
    let error =
        refused(shop(&[("mail", ColumnAccess::Denied)]), &script("c.mail", "o.customer = c.id"));
    assert_eq!(error.code(), ErrorCode::PermissionDenied, "{error}");
    let plan = job(shop(&[("mail", ColumnAccess::Denied)]), &script("c.name", "o.customer = c.id"));
    assert!(lookup(&plan).read.iter().all(|field| field.name != "mail"));
}

#[test]
fn a_lookup_without_masks_is_planned_as_that_of_an_inline_table() {
    let governed = job(shop(&[]), &script("c.name, c.mail", "o.customer = c.id"));
    let inline = "CREATE TABLE customers (id STRING, name STRING, mail STRING, born DATE, PRIMARY KEY (id) NOT ENFORCED)
        WITH ('connector' = 'jdbc', 'url' = 'jdbc:mysql://host/db', 'table-name' = 'customers');";
    let by_name =
        script("c.name, c.mail", "o.customer = c.id").replace("crm.customers", "customers");
    let inline = job(shop(&[]), &format!("{inline}{by_name}"));
    let (mut governed, mut inline) = (lookup(&governed).clone(), lookup(&inline).clone());
    assert!(governed.table.governed.as_ref().unwrap().masks.is_empty());
    (governed.table, inline.table) = Default::default();
    assert_eq!(governed, inline);
}
