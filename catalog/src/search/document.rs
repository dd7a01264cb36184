//! What of the catalog is found, and by which texts.
//!
//! Another kind of object is a variant of [`DocumentKind`], what it is found by ([`Searchable`]), and a line in each of
//! [`DocumentKind::of`], [`Catalog::document`] and [`Catalog::documents`].

use crate::child_name::{ChildName, Collection};
use crate::data_source::DataSource;
use crate::metadata::BusinessData;
use crate::name::ResourceName;
use crate::state::Catalog;
use crate::table::{Database, Table};
use crate::tenancy::Project;

/// What something is that is found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum DocumentKind {
    /// A project.
    Project,
    /// A data source.
    DataSource,
    /// A database.
    Database,
    /// A table or topic.
    Table,
    /// Business data that are published.
    BusinessData,
}

/// Where a word stands: in the first of these, if in several.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Field {
    /// In its id.
    Name,
    /// In a tag.
    Tag,
    /// In its description.
    Description,
    /// In the name or the comment of a column.
    Comment,
}

/// Something that can be found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Document<'a> {
    /// Its name.
    pub name: ResourceName,
    /// What it is.
    pub kind: DocumentKind,
    /// What it is found by.
    pub texts: Vec<(Field, &'a str)>,
}

/// Objects that can be found.
trait Searchable {
    fn document(&self) -> Document<'_>;
}

impl DocumentKind {
    /// What something of this name is, if it can be found.
    pub fn of(name: &ResourceName) -> Option<Self> {
        match name {
            ResourceName::Project(_) => Some(Self::Project),
            ResourceName::Table(_) => Some(Self::Table),
            ResourceName::Child(child) => match child.collection() {
                Collection::DataSources => Some(Self::DataSource),
                Collection::Databases => Some(Self::Database),
                Collection::BusinessData => Some(Self::BusinessData),
                _ => None,
            },
            _ => None,
        }
    }
}

impl Field {
    pub(super) const ALL: [Self; 4] = [Self::Name, Self::Tag, Self::Description, Self::Comment];
}

impl Searchable for Project {
    fn document(&self) -> Document<'_> {
        let texts = vec![(Field::Name, self.id.as_str()), (Field::Description, &self.description)];
        let name = ResourceName::Project(self.id.clone());
        Document { name, kind: DocumentKind::Project, texts }
    }
}

impl Searchable for DataSource {
    fn document(&self) -> Document<'_> {
        let texts = vec![(Field::Name, self.name.id()), (Field::Description, &self.description)];
        Document { name: self.name.clone().into(), kind: DocumentKind::DataSource, texts }
    }
}

impl Searchable for Database {
    fn document(&self) -> Document<'_> {
        let mut texts =
            vec![(Field::Name, self.name.id()), (Field::Description, self.description.as_str())];
        texts.extend(self.tags.iter().map(|tag| (Field::Tag, tag.as_str())));
        Document { name: self.name.clone().into(), kind: DocumentKind::Database, texts }
    }
}

impl Searchable for Table {
    fn document(&self) -> Document<'_> {
        let mut texts =
            vec![(Field::Name, self.name.table()), (Field::Description, self.description.as_str())];
        texts.extend(self.tags.iter().map(|tag| (Field::Tag, tag.as_str())));
        for column in &self.definition.columns {
            texts.push((Field::Comment, &column.name));
            texts.push((Field::Comment, &column.comment));
        }
        Document { name: self.name.clone().into(), kind: DocumentKind::Table, texts }
    }
}

impl BusinessData {
    /// As everybody sees them; none of those that nobody sees.
    fn document(&self) -> Option<Document<'_>> {
        let seen = self.entry.seen(true)?;
        let name = &self.entry.name;
        let mut texts = vec![
            (Field::Name, name.id()),
            (Field::Name, seen.title.as_str()),
            (Field::Description, &seen.description),
        ];
        texts.extend(seen.values.values().map(|value| (Field::Description, value.as_str())));
        Some(Document { name: name.clone().into(), kind: DocumentKind::BusinessData, texts })
    }
}

impl Catalog {
    /// Adds the tags of the tenant that something has.
    fn tagged<'a>(&'a self, mut document: Document<'a>) -> Document<'a> {
        let tags = self.tags_on(&document.name);
        let texts = tags.flat_map(|tag| [tag.name.id(), tag.title.as_str()]);
        let texts: Vec<_> = texts.map(|text| (Field::Tag, text)).collect();
        document.texts.extend(texts);
        document
    }

    /// What something is found by, if it is there and can be found.
    pub fn document(&self, name: &ResourceName) -> Option<Document<'_>> {
        let child = |child: &ChildName| match child.collection() {
            Collection::DataSources => Some(self.data_sources.get(child)?.document()),
            Collection::Databases => Some(self.databases.get(child)?.document()),
            Collection::BusinessData => self.business_data(child)?.document(),
            _ => None,
        };
        let document = match name {
            ResourceName::Project(id) => Some(self.projects.get(id)?.document()),
            ResourceName::Table(table) => Some(self.tables.get(table)?.document()),
            ResourceName::Child(name) => child(name),
            _ => None,
        };
        document.map(|document| self.tagged(document))
    }

    /// All that can be found.
    pub fn documents(&self) -> impl Iterator<Item = Document<'_>> {
        let projects = self.projects.values().map(|project| project.document());
        let data_sources = self.data_sources.values().map(|source| source.document());
        let databases = self.databases.values().map(|database| database.document());
        let tables = self.tables.values().map(|table| table.document());
        let business_data = self.metadata.business_data.values();
        let business_data = business_data.filter_map(|data| data.document());
        let all = projects.chain(data_sources).chain(databases).chain(tables);
        all.chain(business_data).map(|document| self.tagged(document))
    }
}
