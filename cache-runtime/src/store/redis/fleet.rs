//! The record of the fleet's switch: a hash of plain text beside the slots, which belongs to the namespace and to no epoch of it.
//!
//! | field | what it holds |
//! | --- | --- |
//! | `mode` | `on` or `off` |
//! | `by`, `since` | who threw it, and when: milliseconds since 1970 by the clock of the server |
//! | `off:<template>` | for a template that is off: when, a space, and by whom |
//! | `changed`, `changed_by` | when and by whom the record was changed last: of two, the newer is in force |

use std::collections::HashMap;
use std::time::Instant;

use redis::Value;

use super::{PROBE, RedisStore};
use crate::error::CacheError;
use crate::fleet::{Fleet, MAX_TEMPLATES, Record, Thrown, too_many};

impl RedisStore {
    /// Reads the record, whatever the breaker says; `None` where there is none, or none that can be read.
    pub(crate) async fn fleet(&self) -> Result<Option<Record>, CacheError> {
        let mut command = redis::cmd("HGETALL");
        command.arg(&*self.switch);
        self.command(command)
            .await
            .map(|fields: Fields| read(&fields))
    }

    /// Throws the switch of the fleet, or of one template; what the record says then.
    pub(crate) async fn throw(
        &self,
        on: bool,
        by: &str,
        template: Option<&str>,
    ) -> Result<Option<Record>, CacheError> {
        let mut call = self.scripts.throw(&self.switch);
        call.arg(if on { "on" } else { "off" })
            .arg(by)
            .arg(template.unwrap_or_default())
            .arg(MAX_TEMPLATES);
        match self.run(&call).await? {
            Value::Nil => Err(too_many()),
            answer => Ok(fields(answer).as_ref().and_then(read)),
        }
    }

    /// Runs a script that is no step. An answer takes at most a [`PROBE`].
    pub(super) async fn run(
        &self,
        call: &redis::ScriptInvocation<'_>,
    ) -> Result<Value, CacheError> {
        let connection = self.connections.get().await?;
        let mut manager = connection.manager().clone();
        let asking = call.invoke_async(&mut manager);
        self.answer(&connection, Instant::now() + PROBE, asking)
            .await
    }

    /// Puts a record back that was lost, unless a newer one is there; what the record says then.
    pub(crate) async fn restore(&self, record: &Record) -> Result<Option<Record>, CacheError> {
        let mut call = self.scripts.restore(&self.switch);
        for text in written(record) {
            call.arg(text);
        }
        let answer = self.run(&call).await?;
        Ok(fields(answer).as_ref().and_then(read))
    }
}

type Fields = HashMap<Vec<u8>, Vec<u8>>;

/// What a script answers.
fn fields(answer: Value) -> Option<Fields> {
    redis::from_redis_value(answer).ok()
}

/// What a person may have written is read with patience; what says neither on nor off says nothing.
fn read(fields: &Fields) -> Option<Record> {
    let text = |name: &str| {
        let text = fields.get(name.as_bytes())?;
        Some(String::from_utf8_lossy(text))
    };
    let on = match text("mode").as_deref().map(str::trim) {
        Some("on") => true,
        Some("off") => false,
        Some(_) => return None,
        // Only templates are off.
        None if fields.is_empty() => return None,
        None => true,
    };
    let ms = |name| text(name).and_then(|text| text.trim().parse::<u64>().ok());
    let templates = fields.iter().filter_map(|(field, said)| {
        let template = field.strip_prefix(b"off:")?;
        let template = String::from_utf8_lossy(template).into_owned();
        let said = String::from_utf8_lossy(said);
        let (since, by) = match said.split_once(' ') {
            Some((since, by)) => (since.parse().ok(), by),
            None => (None, &*said),
        };
        Some((template, Thrown::new(by, since)))
    });
    Some(Record {
        fleet: Fleet::new(
            on,
            Thrown::new(&text("by").unwrap_or_default(), ms("since")),
            templates,
        ),
        changed: ms("changed"),
        by: Thrown::new(&text("changed_by").unwrap_or_default(), None).by,
    })
}

/// The arguments of the script that puts it back.
fn written(record: &Record) -> Vec<String> {
    let ms = |thrown: &Thrown| thrown.since_ms().unwrap_or_default().to_string();
    let fleet = &record.fleet;
    let mode = if fleet.on { "on" } else { "off" };
    let mut all: Vec<String> = vec![
        record.changed.unwrap_or_default().to_string(),
        "mode".to_owned(),
        mode.to_owned(),
        "by".to_owned(),
        fleet.thrown.by.clone().unwrap_or_default(),
        "since".to_owned(),
        ms(&fleet.thrown),
        "changed_by".to_owned(),
        record.by.clone().unwrap_or_default(),
    ];
    for off in &fleet.templates_off {
        let by = off.thrown.by.as_deref().unwrap_or_default();
        all.push(format!("off:{}", off.template));
        all.push(format!("{} {by}", ms(&off.thrown)));
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
        let record = read(&all).unwrap_or_default();
        assert!(!record.fleet.on);
        assert_eq!(record.fleet.thrown.by.as_deref(), Some("Ada"));
        assert_eq!(record.fleet.templates_off[0].template, "user:<id>");
        let by = record.fleet.templates_off[0].thrown.by.as_deref();
        assert_eq!(by, Some("Grace Hopper"));
        let mut again = written(&record);
        again.insert(0, "changed".to_owned());
        let again = again.chunks(2).map(|pair| (&*pair[0], &*pair[1]));
        assert_eq!(said(&again.collect::<Vec<_>>()), all);
    }

    #[test]
    fn a_person_may_write_it_and_nonsense_says_nothing() {
        let by_hand = read(&said(&[("mode", "off")])).unwrap_or_default();
        assert!(!by_hand.fleet.on && by_hand.changed.is_none());
        let one = read(&said(&[("off:user:<id>", "")])).unwrap_or_default();
        assert!(one.fleet.on && one.fleet.templates_off.len() == 1);
        assert_eq!(read(&said(&[("mode", "maybe")])), None);
        assert_eq!(read(&said(&[])), None);
    }

    #[test]
    fn what_is_foreign_is_bounded() {
        let long = "x".repeat(10_000);
        let names: Vec<_> = (0..1_000).map(|i| format!("off:t{i}")).collect();
        let mut all: Vec<(&str, &str)> = names.iter().map(|field| (&**field, &*long)).collect();
        all.extend([("mode", "off"), ("by", "a\u{1b}[2Jb")]);
        let record = read(&said(&all)).unwrap_or_default();
        assert_eq!(record.fleet.templates_off.len(), MAX_TEMPLATES);
        let by = record.fleet.templates_off[0].thrown.by.as_deref();
        assert_eq!(by.map(str::len), Some(crate::fleet::MAX_NAME));
        assert_eq!(record.fleet.thrown.by.as_deref(), Some("a[2Jb"));
    }
}
