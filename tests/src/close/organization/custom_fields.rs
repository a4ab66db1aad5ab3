//! Custom fields.

use anyhow::Context;

use super::Organization;
use crate::close::data::ids;
use crate::close::data::objects::custom_field::{self, CustomField};

impl Organization {
    /// Defines a custom field of `lead`, `contact` or `opportunity` objects that holds one value, and returns its id.
    ///
    /// # Errors
    ///
    /// If objects of that name have no custom fields.
    pub fn create_custom_field(
        &self,
        object_type: &str,
        name: &str,
        of_type: &str,
    ) -> anyhow::Result<String> {
        self.define(object_type, name, of_type, false)
    }

    /// The same of one that holds a list of values.
    ///
    /// # Errors
    ///
    /// As [`Self::create_custom_field`].
    pub fn create_custom_list(
        &self,
        object_type: &str,
        name: &str,
        of_type: &str,
    ) -> anyhow::Result<String> {
        self.define(object_type, name, of_type, true)
    }

    /// Deletes a custom field: no object has a value of it any more, and no date moves.
    ///
    /// # Errors
    ///
    /// If there is no such field.
    pub fn delete_custom_field(&self, object_type: &str, id: &str) -> anyhow::Result<()> {
        let family = custom_field::family(object_type).context("no custom fields of that type")?;
        self.with(|tenant| {
            let fields = &mut tenant.collection_mut(family).custom_fields;
            let mut existing = fields.iter_mut().filter(|field| !field.is_deleted);
            let field = existing.find(|field| field.id == id);
            field
                .with_context(|| format!("there is no custom field {id}"))?
                .is_deleted = true;
            Ok(())
        })
    }

    /// Gives a custom field another name.
    ///
    /// # Errors
    ///
    /// If there is no such field.
    pub fn rename_custom_field(
        &self,
        object_type: &str,
        id: &str,
        name: &str,
    ) -> anyhow::Result<()> {
        let family = custom_field::family(object_type).context("no custom fields of that type")?;
        self.with(|tenant| {
            let mut fields = tenant.collection_mut(family).custom_fields.iter_mut();
            let field = fields.find(|field| field.id == id);
            name.clone_into(
                &mut field
                    .with_context(|| format!("there is no custom field {id}"))?
                    .name,
            );
            Ok(())
        })
    }

    fn define(
        &self,
        object_type: &str,
        name: &str,
        of_type: &str,
        accepts_multiple_values: bool,
    ) -> anyhow::Result<String> {
        let family = custom_field::family(object_type).context("no custom fields of that type")?;
        let id = ids::object("cf");
        let field = CustomField {
            id: id.clone(),
            name: name.to_owned(),
            of_type: of_type.to_owned(),
            accepts_multiple_values,
            is_deleted: false,
        };
        self.with(|tenant| tenant.collection_mut(family).custom_fields.push(field));
        Ok(id)
    }
}
