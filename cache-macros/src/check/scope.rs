//! Keys, and what their placeholders can name.

use proc_macro2::{Span, TokenStream};
use quote::quote;
use syn::ext::IdentExt as _;
use syn::{Expr, Fields, FnArg, Ident, Index, LitStr, Member, Pat, Type};

use super::batch::holds_several;
use crate::args::{KeyArg, identifiers};
use crate::errors::{Errors, list, meant};
use crate::function::Function;
use crate::template::{Ending, Piece, Placeholder, Template};

/// How one key is made.
pub(crate) enum Key {
    Template(Resolved),
    Typed(Expr),
}

/// A template whose placeholders are known to name something.
pub(crate) struct Resolved {
    pub(crate) literal: LitStr,
    pub(crate) steps: Vec<Step>,
    /// Of which argument there is one for each item; the items are called like it.
    pub(crate) for_each: Option<Ident>,
}

pub(crate) enum Step {
    Text(String),
    Part(Place, Ending),
}

/// What fills a placeholder.
pub(crate) enum Place {
    /// An expression that is there before the body runs.
    Given(TokenStream),
    /// Fields of what the body returned.
    Returned(TokenStream),
}

impl Resolved {
    pub(crate) fn needs_return(&self) -> bool {
        self.steps
            .iter()
            .any(|step| matches!(step, Step::Part(Place::Returned(_), _)))
    }
}

impl Key {
    pub(crate) fn needs_return(&self) -> bool {
        matches!(self, Self::Template(template) if template.needs_return())
    }
}

/// What placeholders can name.
pub(super) struct Scope {
    of: Subject,
    names: Vec<Name>,
    receiver: Option<Ident>,
}

/// What has a key.
#[derive(Clone, Copy)]
pub(super) enum Subject {
    /// A call, before its body runs.
    Call,
    /// A call that has returned.
    ReturnedCall,
    /// A struct.
    Struct,
}

impl Subject {
    const fn noun(self) -> &'static str {
        match self {
            Self::Call | Self::ReturnedCall => "argument",
            Self::Struct => "field",
        }
    }
}

struct Name {
    text: String,
    span: Span,
    root: Root,
    /// Whether a key that names it stands for several, one for each of its items.
    holds_several: bool,
}

enum Root {
    Variable(Ident),
    Field(Member),
}

impl Scope {
    pub(super) fn of_call(function: &Function, of: Subject) -> Self {
        let mut names: Vec<Name> = Vec::new();
        for argument in function.arguments() {
            let text = argument.unraw().to_string();
            if names.iter().all(|name| name.text != text) {
                names.push(Name {
                    text,
                    span: argument.span(),
                    root: Root::Variable(argument),
                    holds_several: false,
                });
            }
        }
        Self {
            of,
            names,
            receiver: function.receiver(),
        }
    }

    pub(super) fn of_fields(fields: &Fields) -> Self {
        let names = fields
            .iter()
            .zip(fields.members())
            .map(|(field, member)| match &member {
                Member::Named(name) => Name {
                    text: name.unraw().to_string(),
                    span: name.span(),
                    root: Root::Field(member),
                    holds_several: false,
                },
                Member::Unnamed(index) => Name {
                    text: index.index.to_string(),
                    span: syn::spanned::Spanned::span(&field.ty),
                    root: Root::Field(member),
                    holds_several: false,
                },
            });
        Self {
            of: Subject::Struct,
            names: names.collect(),
            receiver: None,
        }
    }

    /// The same where an argument that holds several makes one key of each.
    pub(super) fn with_several(mut self, function: &Function) -> Self {
        for input in &function.sig.inputs {
            if let FnArg::Typed(argument) = input
                && let Pat::Ident(pattern) = &*argument.pat
                && holds_several(&argument.ty)
            {
                let own = self.names.iter_mut();
                for name in own.filter(|name| pattern.ident.unraw() == name.text.as_str()) {
                    name.holds_several = true;
                }
            }
        }
        self
    }

    /// The same where `item`, one of `ids`, stands in its place.
    pub(super) fn with_item(mut self, item: &Ident, ids: &Ident) -> Self {
        for name in &mut self.names {
            if ids.unraw() == name.text.as_str() {
                name.text = item.unraw().to_string();
                name.root = Root::Variable(item.clone());
            }
        }
        self
    }

    pub(super) fn is_name(&self, text: &str) -> bool {
        self.find(text).is_some()
    }

    fn find(&self, text: &str) -> Option<&Name> {
        self.names.iter().find(|name| name.text == text)
    }

    fn texts(&self) -> impl Iterator<Item = &str> {
        self.names.iter().map(|name| name.text.as_str())
    }

    /// The names that a key mentions.
    pub(super) fn named_in(&self, key: &KeyArg) -> Vec<String> {
        match key {
            KeyArg::Template(template) => template
                .placeholders()
                .map(|found| found.root.clone())
                .collect(),
            KeyArg::Typed(key) => {
                let found = identifiers(key)
                    .into_iter()
                    .map(|name| name.unraw().to_string());
                found.filter(|name| self.find(name).is_some()).collect()
            }
        }
    }

    pub(super) fn key(&self, key: KeyArg, skipped: &[Ident], errors: &mut Errors) -> Option<Key> {
        match key {
            KeyArg::Template(template) => {
                self.template(template, skipped, errors).map(Key::Template)
            }
            KeyArg::Typed(key) => Some(Key::Typed(key)),
        }
    }

    /// Finds what each placeholder names.
    pub(super) fn template(
        &self,
        template: Template,
        skipped: &[Ident],
        errors: &mut Errors,
    ) -> Option<Resolved> {
        let Template { literal, pieces } = template;
        let before = errors.count();
        let roots: Vec<String> = pieces
            .iter()
            .filter_map(|piece| match piece {
                Piece::Placeholder(placeholder) => Some(placeholder.root.clone()),
                Piece::Text(_) => None,
            })
            .collect();
        let mut seen: Vec<String> = Vec::new();
        let mut steps = Vec::new();
        for piece in pieces {
            let placeholder = match piece {
                Piece::Text(text) => {
                    steps.push(Step::Text(text));
                    continue;
                }
                Piece::Placeholder(placeholder) => placeholder,
            };
            let path = placeholder.path();
            if seen.contains(&path) {
                let other = self.forgotten(&placeholder.root, &roots, skipped);
                let hint = other.map_or_else(
                    || String::from("; once is enough, because the second adds nothing to the key"),
                    |other| format!("; did you mean `<{other}>`?"),
                );
                errors.at(literal.span(), format!("`<{path}>` stands twice{hint}"));
                continue;
            }
            match self.place(&placeholder, &literal) {
                Ok(place) => steps.push(Step::Part(place, placeholder.ending)),
                Err(message) => errors.at(literal.span(), message),
            }
            seen.push(path);
        }
        let for_each = self.for_each(&roots, &literal, errors);
        (!errors.is_new_since(before)).then_some(Resolved {
            literal,
            steps,
            for_each,
        })
    }

    /// The argument of which there is one key for each item.
    fn for_each(&self, roots: &[String], literal: &LitStr, errors: &mut Errors) -> Option<Ident> {
        let mut several = self.names.iter().filter_map(|name| match &name.root {
            Root::Variable(variable) if name.holds_several && roots.contains(&name.text) => {
                Some(variable)
            }
            _ => None,
        });
        let first = several.next()?;
        let with_both = |other: &dyn std::fmt::Display, each: &str| {
            format!(
                "there is one key for each of `{first}`, and {each} `{other}`: which belong together is not said; invalidate in a \
                 function that has one of each, or by a pattern or a tag"
            )
        };
        if let Some(second) = several.next() {
            errors.at(literal.span(), with_both(second, "for each of"));
        } else if roots.iter().any(|root| root == "return") {
            errors.at(literal.span(), with_both(&"<return…>", "each needs"));
        }
        Some(first.clone())
    }

    /// The name that was probably meant where `root` stands a second time.
    fn forgotten(&self, root: &str, roots: &[String], skipped: &[Ident]) -> Option<&str> {
        let uncovered: Vec<&str> = self
            .texts()
            .filter(|name| !name.starts_with('_') && !roots.iter().any(|root| root == name))
            .filter(|name| !skipped.iter().any(|skipped| skipped.unraw() == name))
            .collect();
        meant(root, uncovered.iter().copied()).or_else(|| uncovered.first().copied())
    }

    fn place(&self, placeholder: &Placeholder, literal: &LitStr) -> Result<Place, String> {
        let located = literal.span();
        let fields = placeholder.fields.iter().map(|field| {
            let member = member(field, located);
            quote!(.#member)
        });
        let fields: TokenStream = fields.collect();
        let path = placeholder.path();
        match placeholder.root.as_str() {
            "return" => match self.of {
                Subject::ReturnedCall => Ok(Place::Returned(fields)),
                Subject::Call => Err(format!(
                    "`<{path}>`: what the function returns is not known before the call; `<return…>` stands in `#[invalidates]`"
                )),
                Subject::Struct => Err(format!(
                    "`<{path}>`: a key names its own fields; `<return…>` stands in `#[invalidates]`"
                )),
            },
            "self" if !matches!(self.of, Subject::Struct) => match &self.receiver {
                Some(receiver) => {
                    let receiver = moved_to(receiver, located);
                    Ok(Place::Given(quote!(#receiver #fields)))
                }
                None => Err(format!("`<{path}>`: this function has no `self`")),
            },
            root => match self.find(root).map(|name| &name.root) {
                Some(Root::Variable(variable)) => {
                    let variable = moved_to(variable, located);
                    Ok(Place::Given(quote!(#variable #fields)))
                }
                Some(Root::Field(field)) => {
                    let this = Ident::new("self", located.resolved_at(Span::mixed_site()));
                    let field = match field {
                        Member::Named(name) => Member::Named(moved_to(name, located)),
                        Member::Unnamed(index) => Member::Unnamed(index.clone()),
                    };
                    Ok(Place::Given(quote!(#this.#field #fields)))
                }
                None => Err(self.unknown(&path, root)),
            },
        }
    }

    fn unknown(&self, path: &str, root: &str) -> String {
        let is_index = root.starts_with(|c: char| c.is_ascii_digit());
        let hint = meant(root, self.texts()).filter(|_| !is_index).map_or_else(
            || self.choices(),
            |name| format!("; did you mean `<{}>`?", path.replacen(root, name, 1)),
        );
        format!("`<{path}>` names no {}{hint}", self.of.noun())
    }

    /// "; the arguments are `a` and `b`"
    fn choices(&self) -> String {
        match self.names.as_slice() {
            [] => match self.of {
                Subject::Call | Subject::ReturnedCall => String::from("; this function has none"),
                Subject::Struct => String::from("; this struct has none"),
            },
            [only] => format!("; the only {} is `{}`", self.of.noun(), only.text),
            _ => format!("; the {}s are {}", self.of.noun(), list(self.texts())),
        }
    }

    /// Those of `skip(…)` that are arguments.
    pub(super) fn skipped(&self, skip: &[Ident], errors: &mut Errors) -> Vec<Ident> {
        let mut known = Vec::new();
        for name in skip {
            let text = name.unraw().to_string();
            if self.find(&text).is_some() {
                known.push(name.clone());
            } else if text == "self" {
                errors.at(
                    name.span(),
                    "`self` need not be skipped: it is in the key only where the key names it",
                );
            } else {
                let hint = meant(&text, self.texts()).map_or_else(
                    || self.choices(),
                    |name| format!("; did you mean `{name}`?"),
                );
                errors.at(
                    name.span(),
                    format!("`{text}` is no argument of this function{hint}"),
                );
            }
        }
        known
    }

    /// Nothing is in the key and skipped.
    pub(super) fn conflicts(skipped: &[Ident], covered: &[String], errors: &mut Errors) {
        for name in skipped {
            if covered.contains(&name.unraw().to_string()) {
                errors.at(
                    name.span(),
                    format!(
                        "`{name}` is skipped, but stands in the key; remove it from one of them"
                    ),
                );
            }
        }
    }

    /// Everything is in the key, or skipped, or has a name that starts with `_`.
    pub(super) fn coverage(&self, covered: &[String], skipped: &[Ident], errors: &mut Errors) {
        for Name { text, span, .. } in &self.names {
            let is_settled = text.starts_with('_')
                || covered.contains(text)
                || skipped.iter().any(|name| name.unraw() == text.as_str());
            if is_settled {
                continue;
            }
            let message = match self.of {
                Subject::Call | Subject::ReturnedCall => format!(
                    "`{text}` is not in the key: two calls that differ only in `{text}` would share an entry: put it in \
                     the key, or `skip({text})` if it cannot change the result, or name it `_{text}`"
                ),
                Subject::Struct => {
                    let rename = if text.starts_with(|c: char| c.is_ascii_digit()) {
                        String::new()
                    } else {
                        format!(", or name it `_{text}` if it does not belong to the key")
                    };
                    format!(
                        "the field `{text}` is not in the template: two keys that differ only in `{text}` would be the same: put \
                         `<{text}>` into the template{rename}"
                    )
                }
            };
            errors.at(*span, message);
        }
    }

    /// The types of the fields that a template names without a path behind them.
    pub(super) fn types_of_bare_parts(&self, template: &Template, fields: &Fields) -> Vec<Type> {
        let is_bare = |name: &str| {
            template
                .placeholders()
                .any(|placeholder| placeholder.root == name && placeholder.fields.is_empty())
        };
        fields
            .iter()
            .zip(self.texts())
            .filter(|(_, name)| is_bare(name))
            .map(|(field, _)| field.ty.clone())
            .collect()
    }
}

/// The same variable, spoken of at `place`, so that a type error about it points there.
fn moved_to(variable: &Ident, place: Span) -> Ident {
    let mut moved = variable.clone();
    moved.set_span(place.resolved_at(variable.span()));
    moved
}

fn member(name: &str, span: Span) -> Member {
    match name.parse::<u32>() {
        Ok(index) => Member::Unnamed(Index { index, span }),
        Err(_) => Member::Named(
            syn::parse_str::<Ident>(name)
                .map_or_else(|_| Ident::new_raw(name, span), |_| Ident::new(name, span)),
        ),
    }
}
