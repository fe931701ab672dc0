//! The record of the fleet's switch: a hash of plain text beside the slots, which belongs to the namespace and to no epoch of it.
//!
//! | field | what it holds |
//! | --- | --- |
//! | `mode` | `on` or `off` |
//! | `by`, `since` | who threw it, and when: milliseconds since 1970 by the clock of the server |
//! | `off:<template>` | for a template that is off: when, a space, and by whom |
//! | `changed`, `changed_by` | when and by whom the record was changed last: of two, the newer is in force |

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use redis::Value;

use super::{PROBE, RedisStore, is_of_one_command};
use crate::error::{CacheError, ErrorKind};
use crate::fleet::{Fleet, MAX_TEMPLATES, Record, Thrown, too_many};

/// A record, if there is one; `Err` where it cannot be read, or must not be.
type Found = Result<Option<Record>, CacheError>;

/// The field of the fleet itself, and how that of a template begins.
const MODE: &str = "mode";
const OFF: &str = "off:";

impl RedisStore {
    /// Reads the record, whatever the breaker says. An answer takes at most a [`PROBE`].
    pub(crate) async fn fleet(&self) -> Result<Found, CacheError> {
        self.fleet_until(Instant::now() + PROBE).await
    }

    /// The same for a call that has to know it, so that the breaker is asked, and told.
    pub(crate) async fn fleet_within(
        self: &Arc<Self>,
        budget: Duration,
    ) -> Result<Found, CacheError> {
        self.admit()?;
        let read = self.fleet_until(Instant::now() + budget).await;
        self.note(&read);
        read
    }

    async fn fleet_until(&self, until: Instant) -> Result<Found, CacheError> {
        self.is_attached()?;
        let connection = self.connections.get().await?;
        let mut manager = connection.manager().clone();
        let mut command = redis::cmd("HGETALL");
        command.arg(&*self.switch);
        let asking = async {
            match command.query_async::<Fields>(&mut manager).await {
                Err(error) if is_of_one_command(&error) => Ok(Err(self.unread(&error))),
                answer => answer.map(Ok),
            }
        };
        let fields = self.answer(&connection, until, asking).await?;
        Ok(fields.and_then(|fields| self.read(&fields)))
    }

    /// Throws the switch of the fleet, or of one template; what the record says then. What this process knows of it stands again before,
    /// if it was lost.
    pub(crate) async fn throw(
        &self,
        on: bool,
        by: &str,
        template: Option<&str>,
        known: &Record,
    ) -> Result<Option<Record>, CacheError> {
        let field = template.map_or_else(|| MODE.to_owned(), |template| format!("{OFF}{template}"));
        let mut call = self.scripts.throw(&self.switch);
        call.arg(if on { "on" } else { "off" })
            .arg(by)
            .arg(field)
            .arg(MAX_TEMPLATES);
        for text in written(known) {
            call.arg(text);
        }
        match self.run(&call).await? {
            Value::Nil => Err(too_many()),
            answer => self.answered_with(answer),
        }
    }

    /// Puts a record back that was lost, unless a newer one is there; what the record says then.
    pub(crate) async fn restore(&self, record: &Record) -> Result<Option<Record>, CacheError> {
        let mut call = self.scripts.restore(&self.switch);
        for text in written(record) {
            call.arg(text);
        }
        let answer = self.run(&call).await?;
        self.answered_with(answer)
    }

    /// Dates what a person has written, after all that this process knows, unless that was done; what the record says then.
    pub(crate) async fn date(
        &self,
        found: &Record,
        known: &Record,
    ) -> Result<Option<Record>, CacheError> {
        let mut call = self.scripts.date(&self.switch);
        let ms = |at: Option<u64>| at.map_or_else(String::new, |at| at.to_string());
        let (is, was) = (&found.fleet, &known.fleet);
        let was_thrown = is.on != was.on && is.thrown.since == was.thrown.since;
        call.arg(ms(found.changed))
            .arg(if was_thrown { "1" } else { "" })
            .arg(ms(known.changed));
        let answer = self.run(&call).await?;
        self.answered_with(answer)
    }

    /// Runs a script that is no step. An answer takes at most a [`PROBE`].
    pub(super) async fn run(
        &self,
        call: &redis::ScriptInvocation<'_>,
    ) -> Result<Value, CacheError> {
        self.is_attached()?;
        let connection = self.connections.get().await?;
        let mut manager = connection.manager().clone();
        let asking = call.invoke_async(&mut manager);
        self.answer(&connection, Instant::now() + PROBE, asking)
            .await
    }

    /// What a script has answered; `None` where that was damaged on its way.
    fn answered_with(&self, answer: Value) -> Result<Option<Record>, CacheError> {
        match redis::from_redis_value::<Fields>(answer) {
            Ok(fields) => self.read(&fields),
            Err(_) => Ok(None),
        }
    }

    /// Why the record cannot be read, and what to do.
    fn unread(&self, error: &redis::RedisError) -> CacheError {
        let record = String::from_utf8_lossy(&self.switch);
        let advice = if error.code() == Some("WRONGTYPE") {
            format!("`{record}` is no record of the fleet's switch: `DEL` it")
        } else {
            format!("let the user of the cache call `HGETALL` on `{record}`")
        };
        CacheError::because(ErrorKind::Rejected, format!("{error}; {advice}"))
    }

    fn read(&self, fields: &Fields) -> Result<Option<Record>, CacheError> {
        read(fields).map_err(|mode| {
            let record = String::from_utf8_lossy(&self.switch);
            CacheError::because(
                ErrorKind::Rejected,
                format!(
                    "`{record}` says `{MODE}` `{mode}`, which is neither `on` nor `off`: `HSET {record} {MODE} on`, or `off`"
                ),
            )
        })
    }
}

type Fields = HashMap<Vec<u8>, Vec<u8>>;

/// What a person may have written is read with patience; `Err` with a mode that is neither on nor off.
fn read(fields: &Fields) -> Result<Option<Record>, String> {
    let text = |name: &str| {
        let text = fields.get(name.as_bytes())?;
        Some(String::from_utf8_lossy(text))
    };
    if fields.is_empty() {
        return Ok(None);
    }
    let on = match text(MODE).as_deref().map(str::trim) {
        // Only templates are off.
        None => true,
        Some(mode) if mode.eq_ignore_ascii_case("on") => true,
        Some(mode) if mode.eq_ignore_ascii_case("off") => false,
        Some(mode) => return Err(Thrown::new(mode, None).by.unwrap_or_default()),
    };
    let ms = |name| text(name).and_then(|text| text.trim().parse::<u64>().ok());
    let templates = fields.iter().filter_map(|(field, said)| {
        let template = field.strip_prefix(OFF.as_bytes())?;
        let template = String::from_utf8_lossy(template).into_owned();
        Some((template, thrown(&String::from_utf8_lossy(said))))
    });
    Ok(Some(Record {
        fleet: Fleet::new(
            on,
            Thrown::new(&text("by").unwrap_or_default(), ms("since")),
            templates,
        ),
        changed: ms("changed"),
        by: Thrown::new(&text("changed_by").unwrap_or_default(), None).by,
    }))
}

/// When, and by whom; a person may write the latter alone.
fn thrown(said: &str) -> Thrown {
    let (first, rest) = said.split_once(' ').unwrap_or((said, ""));
    match first.parse() {
        Ok(since) => Thrown::new(rest, Some(since)),
        Err(_) => Thrown::new(said, None),
    }
}

/// The arguments of the scripts that put it back: none of what is not known.
fn written(record: &Record) -> Vec<String> {
    let mut all = vec![record.changed.map_or_else(String::new, |at| at.to_string())];
    let mut say = |field: &str, text: Option<String>| {
        all.extend(
            text.map(|text| [field.to_owned(), text])
                .into_iter()
                .flatten(),
        );
    };
    let fleet = &record.fleet;
    let since = |thrown: &Thrown| thrown.since_ms().map(|ms| ms.to_string());
    say(MODE, Some(if fleet.on { "on" } else { "off" }.to_owned()));
    say("by", fleet.thrown.by.clone());
    say("since", since(&fleet.thrown));
    say("changed_by", record.by.clone());
    for off in &fleet.templates_off {
        let said = [since(&off.thrown), off.thrown.by.clone()];
        let said: Vec<_> = said.into_iter().flatten().collect();
        say(&format!("{OFF}{}", off.template), Some(said.join(" ")));
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(all: &[(&str, &str)]) -> Fields {
        all.iter()
            .map(|(field, value)| (field.as_bytes().to_vec(), value.as_bytes().to_vec()))
            .collect()
    }

    fn found(fields: &Fields) -> Record {
        read(fields).ok().flatten().unwrap_or_default()
    }

    #[test]
    fn what_is_written_reads_back() {
        let all = said(&[
            ("mode", "off"),
            ("by", "Ada"),
            ("since", "1700000000000"),
            ("changed", "1700000000001"),
            ("changed_by", "Grace Hopper"),
            ("off:user:<id>", "1600000000000 Grace Hopper"),
        ]);
        let record = found(&all);
        assert!(!record.fleet.on);
        assert_eq!(record.fleet.thrown.by.as_deref(), Some("Ada"));
        assert_eq!(record.fleet.templates_off[0].template, "user:<id>");
        let by = record.fleet.templates_off[0].thrown.by.as_deref();
        assert_eq!(by, Some("Grace Hopper"));
        let mut again = written(&record);
        again.insert(0, "changed".to_owned());
        let again = again.chunks(2).map(|pair| (&*pair[0], &*pair[1]));
        assert_eq!(said(&again.collect::<Vec<_>>()), all);
        assert_eq!(written(&Record::default()), ["", "mode", "on"]);
    }

    #[test]
    fn a_person_may_write_it_and_nonsense_says_nothing() {
        let by_hand = found(&said(&[("mode", " OFF")]));
        assert!(!by_hand.fleet.on && by_hand.changed.is_none());
        let one = found(&said(&[("off:user:<id>", "ada: wrong prices")]));
        assert!(one.fleet.on && one.fleet.templates_off.len() == 1);
        let by = one.fleet.templates_off[0].thrown.by.as_deref();
        assert_eq!(by, Some("ada: wrong prices"));
        assert_eq!(read(&said(&[("mode", "maybe")])), Err("maybe".to_owned()));
        assert_eq!(read(&said(&[])), Ok(None));
    }

    #[test]
    fn what_is_foreign_is_bounded() {
        let long = "x".repeat(10_000);
        let names: Vec<_> = (0..1_000).map(|i| format!("off:t{i}")).collect();
        let mut all: Vec<(&str, &str)> = names.iter().map(|field| (&**field, &*long)).collect();
        all.extend([("mode", "off"), ("by", "a\u{1b}[2Jb")]);
        let record = found(&said(&all));
        assert_eq!(record, found(&said(&all)), "the same, of so many");
        assert_eq!(record.fleet.templates_off.len(), MAX_TEMPLATES);
        let by = record.fleet.templates_off[0].thrown.by.as_deref();
        assert_eq!(by.map(str::len), Some(crate::fleet::MAX_NAME));
        assert_eq!(record.fleet.thrown.by.as_deref(), Some("a[2Jb"));
    }
}
