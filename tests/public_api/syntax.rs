//! What single pieces of syntax say, as text or as a fact.

use syn::spanned::Spanned;
use syn::{Fields, Item, Visibility};

pub fn joined(path: &[String], name: &str) -> Vec<String> {
    path.iter().cloned().chain([name.to_owned()]).collect()
}

pub fn defined_name(item: &Item) -> Option<String> {
    let ident = match item {
        Item::Const(item) => &item.ident,
        Item::Enum(item) => &item.ident,
        Item::Fn(item) => &item.sig.ident,
        Item::Macro(item) => item.ident.as_ref()?,
        Item::Mod(item) => &item.ident,
        Item::Static(item) => &item.ident,
        Item::Struct(item) => &item.ident,
        Item::Trait(item) => &item.ident,
        Item::Type(item) => &item.ident,
        _ => return None,
    };
    Some(ident.to_string())
}

pub fn is_public_item(item: &Item) -> bool {
    match item {
        Item::Const(item) => is_public(&item.vis),
        Item::Enum(item) => is_public(&item.vis),
        Item::Fn(item) => is_public(&item.vis),
        Item::Macro(item) => item.attrs.iter().any(|attribute| attribute.path().is_ident("macro_export")),
        Item::Mod(item) => is_public(&item.vis),
        Item::Static(item) => is_public(&item.vis),
        Item::Struct(item) => is_public(&item.vis),
        Item::Trait(item) => is_public(&item.vis),
        Item::Type(item) => is_public(&item.vis),
        _ => false,
    }
}

pub fn is_public(visibility: &Visibility) -> bool {
    matches!(visibility, Visibility::Public(_))
}

pub fn is_test_only(item: &Item) -> bool {
    match item {
        Item::Fn(item) => has_test_gate(&item.attrs),
        Item::Impl(item) => has_test_gate(&item.attrs),
        Item::Mod(item) => has_test_gate(&item.attrs),
        Item::Struct(item) => has_test_gate(&item.attrs),
        Item::Use(item) => has_test_gate(&item.attrs),
        _ => false,
    }
}

pub fn has_test_gate(attributes: &[syn::Attribute]) -> bool {
    attributes.iter().any(|attribute| source(attribute) == "#[cfg(test)]")
}

pub fn attributes(item: &Item) -> &[syn::Attribute] {
    match item {
        Item::Const(item) => &item.attrs,
        Item::Enum(item) => &item.attrs,
        Item::Fn(item) => &item.attrs,
        Item::Mod(item) => &item.attrs,
        Item::Static(item) => &item.attrs,
        Item::Struct(item) => &item.attrs,
        Item::Trait(item) => &item.attrs,
        Item::Type(item) => &item.attrs,
        _ => &[],
    }
}

pub fn exhaustive(attributes: &[syn::Attribute]) -> &'static str {
    let open = attributes.iter().any(|attribute| attribute.path().is_ident("non_exhaustive"));
    if open { " (non-exhaustive)" } else { "" }
}

pub fn generics(generics: &syn::Generics) -> String {
    let bounds = generics.where_clause.as_ref().map(|bounds| format!(" {}", source(bounds))).unwrap_or_default();
    let parameters = if generics.params.is_empty() { String::new() } else { source(generics) };
    format!("{parameters}{bounds}")
}

/// Fields without their docs, as a signature shows them.
pub fn fields(fields: &Fields) -> String {
    let list: Vec<String> = fields
        .iter()
        .map(|field| match &field.ident {
            Some(name) => format!("{name}: {}", source(&field.ty)),
            None => source(&field.ty),
        })
        .collect();
    match fields {
        Fields::Named(_) => format!(" {{ {} }}", list.join(", ")),
        Fields::Unnamed(_) => format!("({})", list.join(", ")),
        Fields::Unit => String::new(),
    }
}

/// The text as written, joined into one line.
pub fn source(node: &impl Spanned) -> String {
    let text = node.span().source_text().unwrap_or_default();
    let one_line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    one_line.replace("( ", "(").replace(", )", ")").replace(",)", ")").replace(" )", ")").replace(", >", ">")
}
