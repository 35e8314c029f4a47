//! The SQLite store: writing and reading rows, queries, rolling back, readers during writing, damage.
#![allow(clippy::unwrap_used)]

mod common;

use std::collections::BTreeSet;
use std::fs;
use std::ops::RangeInclusive;
use std::path::Path;

use autogan_run::store::{Row, StoreReader};
use autogan_run::{
    Error, Event, Image, Position, Record, Scalar, Session, Store, Trial, TrialFilter, TrialKind,
};
use common::{event, for_each_damage, scalar, trial};

/// Adds the rows of these ticks.
fn add_ticks(store: &mut Store, ticks: RangeInclusive<u64>) {
    for tick in ticks {
        store.add(&trial(tick, (tick / 20) as u32, (tick * 7 % 11) as f64)).unwrap();
        store.add(&scalar(tick, "loss/g", 0.5 * tick as f64)).unwrap();
        store.add(&scalar(tick, "loss/d", 1.0)).unwrap();
        if tick % 10 == 0 {
            store.add(&event(tick, "reset")).unwrap();
        }
    }
}

/// Writes a store with forty ticks of rows, and closes it.
fn filled(path: &Path) {
    let mut store = Store::open(path).unwrap();
    let session =
        Session { tick: 0, kind: "config".into(), json: "\"seed = 1\"".into(), seconds: f64::NAN };
    store.add(&session).unwrap();
    add_ticks(&mut store, 1..=40);
    store.finish().unwrap();
}

type Rows = (Vec<Record<Trial>>, Vec<Record<Scalar>>, Vec<Record<Event>>);

fn all(reader: &StoreReader) -> Rows {
    reader
        .snapshot(|reader| {
            Ok((reader.trials(TrialFilter::ALL)?, reader.rows_after(0)?, reader.events(None)?))
        })
        .unwrap()
}

fn count<R: Row>(reader: &StoreReader) -> usize {
    reader.rows_after::<R>(0).unwrap().len()
}

#[test]
fn rows_come_back_as_they_went_in() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("run.sqlite");
    let mut store = Store::open(&path).unwrap();
    let mut odd = trial(1, 0, f64::NEG_INFINITY);
    odd.named = "žá,\"\n".into();
    odd.entropy = None;
    odd.kind = TrialKind::Derive;
    let picture = Image {
        tick: 2,
        path: "samples/a.png".into(),
        stage: 1,
        iteration: 2,
        tag: "best".into(),
        seconds: 3.0,
    };
    assert_eq!(store.add(&odd).unwrap(), 1);
    assert_eq!(store.add(&picture).unwrap(), 1);
    assert_eq!(store.add(&scalar(2, "a", f64::NAN)).unwrap(), 1);
    assert_eq!(store.add(&scalar(2, "a", -0.0)).unwrap(), 2);
    let reader = store.read().unwrap();
    reader.verify().unwrap();
    assert_eq!(reader.trials(TrialFilter::ALL).unwrap(), [Record { id: 1, row: odd }]);
    assert_eq!(reader.images().unwrap()[0].row, picture);
    let series = reader.series("a").unwrap();
    assert!(series[0].row.value.is_nan() && series[1].row.value == 0.0);
    assert_eq!(reader.rows_after::<Scalar>(1).unwrap().len(), 1);
    let position = Position { tick: 2, trials: 1, scalars: 2, images: 1, events: 0 };
    assert_eq!(store.position(2), position);
}

#[test]
fn queries() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("run.sqlite");
    filled(&path);
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1, "a single file after the end");
    let reader = StoreReader::open(&path).unwrap();
    let top = reader.trials(TrialFilter { top: Some(2), ..TrialFilter::ALL }).unwrap();
    // Scores are 7·tick mod 11: 10 at ticks 3, 14 (stage 0), 25, 36 (stage 1); stage 2 has one.
    let found: Vec<_> = top.iter().map(|t| (t.row.stage, t.row.tick, t.row.score)).collect();
    assert_eq!(found, [(0, 3, 10.0), (0, 14, 10.0), (1, 25, 10.0), (1, 36, 10.0), (2, 40, 5.0)]);
    let distinct =
        reader.trials(TrialFilter { stage: Some(1), distinct: true, ..TrialFilter::ALL }).unwrap();
    assert_eq!(distinct.len(), 6, "tick mod 3 and mod 2 make six architectures");
    assert!(distinct.is_sorted_by_key(|t| t.id));
    let none =
        reader.trials(TrialFilter { kind: Some(TrialKind::Random), ..TrialFilter::ALL }).unwrap();
    assert!(none.is_empty());
    let scalars = reader.rows_after::<Scalar>(0).unwrap();
    let tags: BTreeSet<&str> = scalars.iter().map(|scalar| scalar.row.tag.as_str()).collect();
    assert!(tags.into_iter().eq(["loss/d", "loss/g"]));
    assert_eq!(reader.series("loss/g").unwrap()[39].row.value, 20.0);
    assert_eq!(count::<Trial>(&reader), 40);
    assert_eq!(reader.events(Some("reset")).unwrap().len(), 4);
    assert!(reader.events(Some("stage")).unwrap().is_empty());
}

#[test]
fn trials_rank_by_reward_and_one_without_ranks_last() {
    let dir = tempfile::tempdir().unwrap();
    let mut store = Store::open(&dir.path().join("s")).unwrap();
    for (tick, score) in [(1, f64::NAN), (2, f64::NEG_INFINITY), (3, -2.0)] {
        store.add(&trial(tick, 0, score)).unwrap();
    }
    // The highest score, but dear.
    store.add(&Trial { reward: Some(-3.0), ..trial(4, 0, 9.0) }).unwrap();
    let filter = TrialFilter { top: Some(4), ..TrialFilter::ALL };
    let ticks: Vec<_> =
        store.read().unwrap().trials(filter).unwrap().iter().map(|t| t.row.tick).collect();
    assert_eq!(ticks, [3, 4, 2, 1]);
}

#[test]
fn rolling_back_and_going_on_equals_going_on() {
    let dir = tempfile::tempdir().unwrap();
    let (whole, cut) = (dir.path().join("whole"), dir.path().join("cut"));
    filled(&whole);
    filled(&cut);
    let mut store = Store::open(&cut).unwrap();
    let at_20 = Position {
        tick: 20,
        trials: 20,
        scalars: 39, // between two scalars of one tick
        images: 0,
        events: 1,
    };
    store.truncate_to(at_20).unwrap();
    assert_eq!(store.position(20), at_20);
    assert_eq!(store.last_tick(), 20);
    assert!(store.add(&trial(19, 0, 1.0)).is_err(), "ticks never fall");
    store.add(&scalar(20, "loss/d", 1.0)).unwrap();
    store.add(&event(20, "reset")).unwrap();
    add_ticks(&mut store, 21..=40);
    store.finish().unwrap();
    let (whole, cut) = (StoreReader::open(&whole).unwrap(), StoreReader::open(&cut).unwrap());
    assert_eq!(all(&whole), all(&cut));
    assert_eq!(count::<Session>(&cut), 1, "sessions stay");
}

#[test]
fn rows_missing_before_the_checkpoint_are_noticed() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("s");
    filled(&path);
    let mut store = Store::open(&path).unwrap();
    let beyond = Position { trials: 41, ..store.position(40) };
    let error = store.truncate_to(beyond).unwrap_err();
    assert!(matches!(error, Error::StoreBehind { .. }));
    assert!(error.to_string().contains("41 trials"), "{error}");
    assert_eq!(store.position(40).trials, 40);
}

#[test]
fn readers_see_what_is_committed_while_the_run_goes_on() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("s");
    let mut store = Store::open(&path).unwrap();
    let reader = StoreReader::open(&path).unwrap();
    store.add(&trial(1, 0, 1.0)).unwrap();
    assert_eq!(count::<Trial>(&reader), 0);
    store.flush().unwrap();
    assert_eq!(count::<Trial>(&reader), 1);
    reader
        .snapshot(|reader| {
            assert_eq!(count::<Trial>(reader), 1);
            store.add(&trial(2, 0, 1.0))?;
            store.flush()?;
            assert_eq!(count::<Trial>(reader), 1, "one state for the whole snapshot");
            Ok(())
        })
        .unwrap();
    assert_eq!(count::<Trial>(&reader), 2);
    store.finish().unwrap();
    reader.verify().unwrap();
}

#[test]
fn rows_of_a_dropped_writer_are_there() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("s");
    let mut store = Store::open(&path).unwrap();
    store.add(&trial(1, 0, 1.0)).unwrap();
    drop(store);
    assert_eq!(count::<Trial>(&StoreReader::open(&path).unwrap()), 1);
}

#[test]
fn damage_is_an_error_or_harmless() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("s");
    filled(&path);
    let good = all(&StoreReader::open(&path).unwrap());
    let (mut errors, mut harmless) = (0, 0);
    for_each_damage(&path, 700, |what| {
        match StoreReader::open(&path) {
            Ok(reader) => {
                // For example in a page's unused space.
                assert_eq!(all(&reader), good, "{what}");
                harmless += 1;
            }
            Err(error) => {
                assert!(error.to_string().contains(&path.display().to_string()), "{error}");
                errors += 1;
            }
        }
    });
    assert!(errors > 100 && harmless > 0, "{errors} errors, {harmless} harmless");
    assert_eq!(all(&StoreReader::open(&path).unwrap()), good);
}

#[test]
fn damage_stops_the_writer_too() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("s");
    filled(&path);
    let good = all(&StoreReader::open(&path).unwrap());
    let bytes = fs::read(&path).unwrap();
    for_each_damage(&path, 60, |what| {
        let damaged = fs::read(&path).unwrap();
        match Store::open_existing(&path) {
            Ok(mut store) => assert_eq!(all(store.read().unwrap()), good, "{what}"),
            Err(_) if damaged.len() < 100 => {
                assert_eq!(fs::read(&path).unwrap(), damaged, "the stump is left as it was");
            }
            Err(_) => {}
        }
        // The files that the attempt left belong to the damaged store.
        for suffix in ["s-wal", "s-shm", "s-journal"] {
            let _ = fs::remove_file(dir.path().join(suffix));
        }
    });
    assert_eq!(fs::read(&path).unwrap(), bytes);
}

#[test]
fn a_damaged_log_of_writes_loses_rows_but_not_quietly() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("s");
    let mut store = Store::open(&path).unwrap();
    for tick in 1..=5 {
        store.add(&trial(tick, 0, 1.0)).unwrap();
        store.flush().unwrap();
    }
    let position = store.position(5);
    // As after a kill: the rows are in the write-ahead log only.
    let copy = dir.path().join("copy");
    fs::copy(&path, &copy).unwrap();
    let mut log = fs::read(dir.path().join("s-wal")).unwrap();
    let middle = log.len() / 2;
    log[middle] ^= 1;
    fs::write(dir.path().join("copy-wal"), log).unwrap();
    let result = Store::open(&copy).and_then(|mut store| store.truncate_to(position));
    assert!(matches!(result, Err(Error::StoreBehind { .. })), "{result:?}");
}

#[test]
fn another_programs_database_is_left_alone() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("theirs");
    let theirs = rusqlite::Connection::open(&path).unwrap();
    theirs.execute_batch("CREATE TABLE a (x)").unwrap();
    drop(theirs);
    let before = fs::read(&path).unwrap();
    assert!(Store::open(&path).is_err());
    assert!(StoreReader::open(&path).is_err());
    assert_eq!(fs::read(&path).unwrap(), before);
    let absent = StoreReader::open(&dir.path().join("absent")).unwrap_err();
    assert!(absent.to_string().contains("absent"), "{absent}");
    assert!(!dir.path().join("absent").exists());
}

#[test]
fn tables_and_row_types_agree() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("s");
    filled(&path);
    let conn = rusqlite::Connection::open(&path).unwrap();
    let columns = |table: &str| -> Vec<String> {
        let mut statement =
            conn.prepare("SELECT name FROM pragma_table_info(?1) WHERE name <> 'id'").unwrap();
        let names = statement.query_map([table], |row| row.get(0)).unwrap();
        names.map(Result::unwrap).collect()
    };
    assert_eq!(columns(Trial::TABLE), Trial::COLUMNS);
    assert_eq!(columns(Scalar::TABLE), Scalar::COLUMNS);
    assert_eq!(columns(Image::TABLE), Image::COLUMNS);
    assert_eq!(columns(Event::TABLE), Event::COLUMNS);
    assert_eq!(columns(Session::TABLE), Session::COLUMNS);
}

/// Writes a store as the first version did, with one row of that version.
fn first_version(path: &Path) {
    filled(path);
    let conn = rusqlite::Connection::open(path).unwrap();
    conn.execute_batch(
        "DELETE FROM trials; DELETE FROM trials_crc;
        ALTER TABLE trials DROP COLUMN reward;
        ALTER TABLE trials RENAME COLUMN score TO reward;
        INSERT INTO trials VALUES (1, 7, 'controller', 0, 2, 3, '1 0 1 1', 'pre-none-nearest-sc', 2.5, 0.125, 0.75,
            -0.5, 3.0, 1000, 20000, NULL);
        INSERT INTO trials_crc VALUES (1, 559805316);
        PRAGMA user_version = 1;",
    )
    .unwrap();
}

#[test]
fn a_store_of_the_first_version_is_read_as_it_is_and_goes_on() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("s");
    first_version(&path);
    let before = fs::read(&path).unwrap();
    let read = |reader: &StoreReader| {
        let row = reader.trials(TrialFilter::ALL).unwrap().remove(0).row;
        assert_eq!((row.score, row.reward, row.rank_value()), (2.5, None, 2.5));
        assert_eq!((row.advantage, row.baseline), (Some(-0.5), Some(3.0)));
        assert_eq!(row.arch.to_string(), "1 0 1 1");
        assert!(row.seconds.is_nan());
    };
    let reader = StoreReader::open(&path).unwrap();
    read(&reader);
    assert_eq!(count::<Trial>(&reader), 1);
    assert_eq!(count::<Scalar>(&reader), 80);
    drop(reader);
    assert_eq!(fs::read(&path).unwrap(), before, "a reader changes nothing");
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);

    let mut store = Store::open_existing(&path).unwrap();
    read(store.read().unwrap());
    store.add(&trial(41, 2, 4.0)).unwrap();
    store.finish().unwrap();
    let reader = StoreReader::open(&path).unwrap();
    read(&reader);
    assert_eq!(reader.trials(TrialFilter::ALL).unwrap()[1].row, trial(41, 2, 4.0));
}

#[test]
fn what_is_no_architecture_is_damage_of_its_row() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("s");
    first_version(&path);
    let conn = rusqlite::Connection::open(&path).unwrap();
    // The row is one of another search space, with a valid checksum.
    conn.execute_batch("UPDATE trials SET arch = '9 0 1 1'; UPDATE trials_crc SET crc = 114078992")
        .unwrap();
    drop(conn);
    let error = StoreReader::open(&path).unwrap_err();
    assert!(matches!(error, Error::Damaged { .. }));
    assert!(error.to_string().contains("row 1 of trials, column arch: \"9 0 1 1\""), "{error}");
}

#[test]
fn a_store_that_was_left_open_is_read_without_making_files() {
    let dir = tempfile::tempdir().unwrap();
    // A name that needs care in a URI.
    let path = dir.path().join("run 1%?#.sqlite");
    let mut store = Store::open(&path).unwrap();
    store.add(&trial(1, 0, 2.0)).unwrap();
    store.flush().unwrap();
    // Killed, and copied without the index that is of no use elsewhere: the rows are in the log.
    let copy = dir.path().join("copy");
    fs::create_dir(&copy).unwrap();
    for suffix in ["", "-wal"] {
        let name = format!("run 1%?#.sqlite{suffix}");
        fs::copy(dir.path().join(&name), copy.join(&name)).unwrap();
    }
    // Not finished: its header says that a log is in use, and there is none.
    drop(store);
    assert_eq!(fs::read(&path).unwrap()[18..20], [2, 2]);
    for (home, files) in [(dir.path(), 2), (&copy, 2)] {
        let reader = StoreReader::open_live(&home.join("run 1%?#.sqlite")).unwrap();
        assert_eq!(reader.trials(TrialFilter::ALL).unwrap().len(), 1);
        assert_eq!(fs::read_dir(home).unwrap().count(), files);
        drop(reader);
        assert_eq!(fs::read_dir(home).unwrap().count(), files);
    }
}
