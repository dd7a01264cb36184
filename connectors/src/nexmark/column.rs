//! The columns of a nexmark table: which fields the query reads, and whether they are declared as the
//! generator makes them.

use arrow::datatypes::{DataType, Fields};
use tidegate_plan::arrow_type::data_type;
use tidegate_types::{Error, ErrorCode, Field, Result, TypeKind};

use super::auction::AuctionField;
use super::bid::BidField;
use super::block::Kind;
use super::person::PersonField;

/// A column that the query reads.
#[derive(Debug, Clone)]
pub(super) enum Column {
    /// `event_type`
    EventType,
    /// `person`, `auction` or `bid`: NULL unless the event has that type.
    Row(RowColumn),
}

/// A column that holds the events of one type.
#[derive(Debug, Clone)]
pub(super) struct RowColumn {
    pub(super) kind: Kind,
    pub(super) fields: Fields,
    pub(super) parts: Parts,
}

/// The fields that are read, in declared order.
#[derive(Debug, Clone)]
pub(super) enum Parts {
    Person(Vec<PersonField>),
    Auction(Vec<AuctionField>),
    Bid(Vec<BidField>),
}

impl Column {
    /// Binds a column by name.
    ///
    /// # Errors
    /// `INVALID_OPTION` if the generator has no such column or makes another type.
    pub(super) fn bind(field: &Field) -> Result<Self> {
        let kind = match field.name.as_str() {
            "event_type" => {
                check(&field.name, &field.ty.kind, matches!(field.ty.kind, TypeKind::Int), "INT")?;
                return Ok(Self::EventType);
            }
            "person" => Kind::Person,
            "auction" => Kind::Auction,
            "bid" => Kind::Bid,
            other => {
                let message = format!("column {other}: the nexmark connector has no such column");
                return Err(Error::new(ErrorCode::InvalidOption, message)
                    .help("its columns are event_type, person, auction and bid"));
            }
        };
        let TypeKind::Row(fields) = &field.ty.kind else {
            return Err(mismatch(&field.name, &field.ty.kind, "a ROW"));
        };
        let parts = match kind {
            Kind::Person => Parts::Person(bind_fields(&field.name, fields, &PersonField::NAMES)?),
            Kind::Auction => {
                Parts::Auction(bind_fields(&field.name, fields, &AuctionField::NAMES)?)
            }
            Kind::Bid => Parts::Bid(bind_fields(&field.name, fields, &BidField::NAMES)?),
        };
        let DataType::Struct(fields) = data_type(&field.ty) else {
            return Err(Error::internal(format!("column {} is no struct", field.name)));
        };
        Ok(Self::Row(RowColumn { kind, fields, parts }))
    }
}

fn bind_fields<F: Copy>(column: &str, fields: &[Field], names: &[(&str, F)]) -> Result<Vec<F>> {
    fields
        .iter()
        .map(|field| {
            let path = format!("{column}.{}", field.name);
            let Some((_, found)) = names.iter().find(|(name, _)| *name == field.name) else {
                let known: Vec<&str> = names.iter().map(|(name, _)| *name).collect();
                let message = format!("column {path}: the nexmark connector has no such field");
                return Err(Error::new(ErrorCode::InvalidOption, message)
                    .help(format!("the fields of {column} are {}", known.join(", "))));
            };
            check_field(&path, field)?;
            Ok(*found)
        })
        .collect()
}

fn check_field(path: &str, field: &Field) -> Result<()> {
    let kind = &field.ty.kind;
    match field.name.as_str() {
        "dateTime" | "expires" => {
            let fits = matches!(kind, TypeKind::Timestamp { precision: 0..=3, .. });
            check(path, kind, fits, "TIMESTAMP(3)")
        }
        "id" | "auction" | "bidder" | "price" | "initialBid" | "reserve" | "seller"
        | "category" => check(path, kind, matches!(kind, TypeKind::BigInt), "BIGINT"),
        _ => check(path, kind, matches!(kind, TypeKind::VarChar { .. }), "VARCHAR"),
    }
}

fn check(path: &str, found: &TypeKind, fits: bool, expected: &str) -> Result<()> {
    if fits { Ok(()) } else { Err(mismatch(path, found, expected)) }
}

fn mismatch(path: &str, found: &TypeKind, expected: &str) -> Error {
    Error::new(
        ErrorCode::InvalidOption,
        format!("column {path} is declared {found}, but the nexmark connector makes {expected}"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wrong_declaration_is_named() {
        let bid = |kind: TypeKind| {
            Field::new("bid", TypeKind::Row(vec![Field::new("price", kind.nullable())]).nullable())
        };
        assert!(Column::bind(&bid(TypeKind::BigInt)).is_ok());
        let error = Column::bind(&bid(TypeKind::Int)).unwrap_err();
        assert!(error.to_string().contains("bid.price is declared INT"), "{error}");
        let error = Column::bind(&Field::new("bids", TypeKind::Int.nullable())).unwrap_err();
        assert!(error.to_string().contains("column bids"), "{error}");
    }
}
