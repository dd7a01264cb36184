//! Structured types: OBJECT_OF makes a value of a class from names and values, OBJECT_UPDATE replaces some of
//! them. The class need not exist: its name is a part of the type.

use std::sync::Arc;

use arrow::array::{Array as _, ArrayRef, StructArray};
use arrow::datatypes::DataType;
use tidegate_plan::arrow_type::data_type;
use tidegate_types::{Error, Field, Result, SqlType, TypeKind};

use crate::function::{Argument, Function, KernelContext, Signature, Value};
use crate::rules::{any, fail, literal_text, may_be_null, text};
use crate::vector::{null_in_not_null, retype, structs};

pub(crate) const FUNCTIONS: &[Function] = &[
    Function::new("OBJECT_OF", "A value of a structured type", bind_of, object_of),
    Function::new("OBJECT_UPDATE", "A structured value with other attributes", bind_update, update),
];

/// The names and types of `key, value, …` behind the first argument.
fn attributes(args: &[Argument]) -> Result<Vec<Field>> {
    if args.is_empty() || args.len().is_multiple_of(2) {
        return Err(fail("expected one argument and then pairs of a name and a value")
            .help("write OBJECT_OF('com.example.User', 'name', name, 'age', age)"));
    }
    let mut fields: Vec<Field> = Vec::new();
    for index in (1..args.len()).step_by(2) {
        let name = literal_text(args, index)?;
        if fields.iter().any(|field| field.name == name) {
            return Err(fail(format!("argument {} names '{name}' once more", index + 1)));
        }
        let ty = args[index + 1].ty.clone().materialized();
        if ty.kind == TypeKind::Null {
            return Err(fail(format!("the value of '{name}' is a NULL without a type"))
                .help("write CAST(NULL AS type)"));
        }
        fields.push(Field::new(name, ty));
    }
    Ok(fields)
}

/// What the kernel sees: the first argument, names and values as they are.
fn arguments(args: &[Argument], first: SqlType) -> Result<Vec<SqlType>> {
    let mut types = vec![first];
    for index in 1..args.len() {
        let is_name = index % 2 == 1;
        types.push(if is_name { text(args, index)? } else { any(args, index)? });
    }
    Ok(types)
}

/// A name of Java: parts of letters, digits, `_` and `$` between dots.
fn is_class_name(name: &str) -> bool {
    name.split('.').all(|part| {
        let letter = |c: char| c.is_alphabetic() || c == '_' || c == '$';
        part.starts_with(letter) && part.chars().all(|c| letter(c) || c.is_numeric())
    })
}

fn bind_of(args: &[Argument]) -> Result<Signature> {
    let fields = attributes(args)?;
    let class = literal_text(args, 0)?;
    if !is_class_name(class) {
        return Err(fail(format!("'{class}' is not the name of a class"))
            .help("names are like com.example.User"));
    }
    let types = arguments(args, text(args, 0)?)?;
    Ok(may_be_null(types, TypeKind::Structured { class: class.to_owned(), fields }))
}

fn bind_update(args: &[Argument]) -> Result<Signature> {
    let changed = attributes(args)?;
    let object = &args[0].ty;
    let TypeKind::Structured { class, fields } = &object.kind else {
        return Err(fail(format!("argument 1 is {}, expected a structured type", object.kind))
            .help("OBJECT_OF makes one"));
    };
    let mut fields = fields.clone();
    for change in changed {
        let Some(field) = fields.iter_mut().find(|field| field.name == change.name) else {
            let known: Vec<&str> = fields.iter().map(|field| field.name.as_str()).collect();
            return Err(fail(format!("{class} has no attribute '{}'", change.name))
                .help(format!("its attributes are {}", known.join(", "))));
        };
        field.ty = change.ty;
    }
    let types = arguments(args, object.clone())?;
    Ok(may_be_null(types, TypeKind::Structured { class: class.clone(), fields }))
}

fn object_of(values: &[Value], context: &KernelContext<'_>) -> Result<ArrayRef> {
    let DataType::Struct(fields) = data_type(context.result) else {
        return Err(Error::internal("OBJECT_OF without attributes"));
    };
    let attributes = values.iter().skip(2).step_by(2).zip(&fields);
    let columns = attributes
        .map(|(value, field)| retype(&value.to_array(context.rows)?, field.data_type()))
        .collect::<Result<Vec<_>>>()?;
    let objects = StructArray::try_new_with_length(fields, columns, None, context.rows);
    Ok(Arc::new(objects.map_err(null_in_not_null)?))
}

fn update(values: &[Value], context: &KernelContext<'_>) -> Result<ArrayRef> {
    let (DataType::Struct(fields), [object, ..]) = (data_type(context.result), values) else {
        return Err(Error::internal("OBJECT_UPDATE without an object"));
    };
    let object = object.to_array(context.rows)?;
    let object = structs(&object)?;
    let mut columns = object.columns().to_vec();
    for (name, value) in values.iter().skip(1).zip(values.iter().skip(2)).step_by(2) {
        let name = crate::vector::constant_text(name)
            .ok_or_else(|| Error::internal("the name of an attribute is not a constant"))?;
        let place = fields.iter().position(|field| field.name() == name);
        if let Some(column) = place.and_then(|place| columns.get_mut(place)) {
            *column = value.to_array(context.rows)?;
        }
    }
    let columns =
        columns.iter().zip(&fields).map(|(column, field)| retype(column, field.data_type()));
    let columns = columns.collect::<Result<Vec<_>>>()?;
    let nulls = object.nulls().cloned();
    let objects = StructArray::try_new_with_length(fields, columns, nulls, context.rows);
    Ok(Arc::new(objects.map_err(null_in_not_null)?))
}

#[cfg(test)]
mod tests {
    use crate::testing::{call, int, null, over, show, text, try_call, type_of};
    use tidegate_types::TypeKind;

    #[test]
    fn objects_are_made_and_changed() {
        let user = |name, age| {
            call("OBJECT_OF", vec![text("org.example.User"), text("name"), name, text("age"), age])
        };
        let ada = user(text("Ada"), int(36));
        assert_eq!(
            type_of(&ada),
            "STRUCTURED<'org.example.User', `name` CHAR(3) NOT NULL, `age` INT NOT NULL>"
        );
        assert_eq!(show(&ada).as_deref(), Some("(name=Ada, age=36)"));
        let older = call("OBJECT_UPDATE", vec![ada.clone(), text("age"), int(37)]);
        assert_eq!(show(&older).as_deref(), Some("(name=Ada, age=37)"));
        let got = over(&[Some("x"), None], |name| {
            let object = user(name, int(1));
            call("OBJECT_UPDATE", vec![object, text("age"), text("old")])
        });
        let want = ["(name=x, age=old)", "(name=NULL, age=old)"];
        assert_eq!(got, want.map(|v| Some(v.to_owned())));
    }

    #[test]
    fn wrong_objects_are_refused() {
        let class = || text("org.example.P");
        let fails = |name, args| try_call(name, args).unwrap_err().to_string();
        assert!(fails("OBJECT_OF", vec![class(), text("n")]).contains("pairs"));
        let twice = vec![class(), text("n"), int(1), text("n"), int(2)];
        assert!(fails("OBJECT_OF", twice).contains("once more"));
        assert!(fails("OBJECT_OF", vec![text("1x"), text("n"), int(1)]).contains("class"));
        let untyped = vec![class(), text("n"), null(TypeKind::Null)];
        assert!(fails("OBJECT_OF", untyped).contains("without a type"));
        let object = call("OBJECT_OF", vec![class(), text("n"), int(1)]);
        let unknown = fails("OBJECT_UPDATE", vec![object, text("m"), int(1)]);
        assert!(unknown.contains("no attribute 'm'"), "{unknown}");
        assert!(fails("OBJECT_UPDATE", vec![int(1), text("m"), int(1)]).contains("structured"));
    }
}
