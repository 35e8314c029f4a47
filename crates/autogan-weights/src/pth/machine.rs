//! The pickle machine: a stack, a memo and an arena. It builds plain values, calls nothing, and
//! its memory is bounded by the length of the pickle and [`limits::PICKLE_VALUES`].

use super::cursor::Cursor;
use super::opcode::{foreign_name, op};
use super::reduce;
use super::value::{Global, Id, Pickled, StorageRef, Value};
use crate::error::{Fault, quote};
use crate::limits;
use std::collections::HashMap;
use std::rc::Rc;

/// Interprets one pickle from its PROTO to its STOP opcode.
pub(super) fn run(cursor: &mut Cursor<'_>) -> Result<Pickled, Fault> {
    let mut machine = Machine::default();
    expect_protocol(cursor)?;
    loop {
        let at = cursor.offset();
        let code = cursor.byte("a pickle opcode")?;
        if code == op::STOP {
            let root = machine.pop(at)?;
            return Ok(Pickled { values: machine.values, root });
        }
        machine.step(code, at, cursor)?;
    }
}

fn expect_protocol(cursor: &mut Cursor<'_>) -> Result<(), Fault> {
    let at = cursor.offset();
    let [code, version] = cursor.array("the pickle's protocol")?;
    if code == op::PROTO && version == 2 {
        return Ok(());
    }
    let found = if code == op::PROTO {
        format!("protocol {version}: save it with torch.save's default protocol")
    } else {
        format!("byte {code:#04x}")
    };
    Err(Fault::new(at, "a pickle of protocol 2", found))
}

/// The machine's state.
#[derive(Default)]
pub(super) struct Machine {
    pub(super) values: Vec<Value>,
    stack: Vec<Id>,
    /// Heights of the stack at the open marks.
    marks: Vec<usize>,
    memo: HashMap<u32, Id>,
    /// Values and references made so far.
    spent: usize,
}

impl Machine {
    fn step(&mut self, code: u8, at: u64, cursor: &mut Cursor<'_>) -> Result<(), Fault> {
        match code {
            op::MARK => {
                self.spend(1, at)?;
                self.marks.push(self.stack.len());
                Ok(())
            }
            op::NONE => self.push(Value::None, at),
            op::NEWTRUE => self.push(Value::Bool(true), at),
            op::NEWFALSE => self.push(Value::Bool(false), at),
            op::BINFLOAT | op::BININT | op::BININT1 | op::BININT2 | op::LONG1 => {
                let number = read_number(code, at, cursor)?;
                self.push(number, at)
            }
            op::BINUNICODE | op::BINSTRING => {
                let text = read_text(cursor.counted("a string")?, at)?;
                self.push(Value::Text(text), at)
            }
            op::SHORT_BINSTRING => {
                let count = cursor.byte("a string's length")?;
                let text = read_text(cursor.take(count.into(), "a string")?, at)?;
                self.push(Value::Text(text), at)
            }
            op::GLOBAL => {
                let global = read_global(at, cursor)?;
                self.push(Value::Global(global), at)
            }
            op::BINPUT | op::LONG_BINPUT => {
                let key = memo_key(code == op::BINPUT, cursor)?;
                self.spend(1, at)?;
                let top = self.top(at)?;
                self.memo.insert(key, top);
                Ok(())
            }
            op::BINGET | op::LONG_BINGET => {
                let key = memo_key(code == op::BINGET, cursor)?;
                self.spend(1, at)?;
                let id = *self.memo.get(&key).ok_or_else(|| {
                    Fault::new(at, "a memo entry made before", format!("entry {key}, never made"))
                })?;
                self.stack.push(id);
                Ok(())
            }
            _ => self.step_container(code, at),
        }
    }

    /// Opcodes without an argument that take values from the stack.
    fn step_container(&mut self, code: u8, at: u64) -> Result<(), Fault> {
        match code {
            op::EMPTY_LIST => self.push(Value::List(Vec::new()), at),
            op::EMPTY_TUPLE => self.push(Value::Tuple(Vec::new()), at),
            op::EMPTY_DICT => self.push(Value::Dict(Vec::new()), at),
            op::TUPLE | op::TUPLE1 | op::TUPLE2 | op::TUPLE3 => {
                let items = match code {
                    op::TUPLE => self.pop_to_mark(at)?,
                    _ => self.pop_many((code - op::TUPLE1 + 1).into(), at)?,
                };
                self.push(Value::Tuple(items), at)
            }
            op::APPEND | op::APPENDS => {
                let items = match code {
                    op::APPEND => self.pop_many(1, at)?,
                    _ => self.pop_to_mark(at)?,
                };
                let target = self.top(at)?;
                match &mut self.values[target] {
                    Value::List(list) => list.extend(items),
                    other => return Err(Fault::new(at, "a list to append to", other.kind())),
                }
                Ok(())
            }
            op::SETITEM | op::SETITEMS => {
                let items = match code {
                    op::SETITEM => self.pop_many(2, at)?,
                    _ => self.pop_to_mark(at)?,
                };
                self.set_items(&items, at)
            }
            op::BINPERSID => {
                let id = self.pop(at)?;
                let storage = self.storage(id, at)?;
                self.push(Value::Storage(storage), at)
            }
            op::REDUCE => {
                let arguments = self.pop(at)?;
                let callable = self.pop(at)?;
                let id = reduce::call(self, callable, arguments, at)?;
                self.stack.push(id);
                Ok(())
            }
            op::BUILD => self.build(at),
            _ => Err(Fault::new(
                at,
                "a pickle opcode that torch.save writes for a dictionary of tensors",
                format!(
                    "opcode {code:#04x} ({}); nothing in this file is executed",
                    foreign_name(code)
                ),
            )),
        }
    }

    fn set_items(&mut self, items: &[Id], at: u64) -> Result<(), Fault> {
        if !items.len().is_multiple_of(2) {
            return Err(Fault::new(
                at,
                "pairs of key and value",
                format!("{} values", items.len()),
            ));
        }
        let target = self.top(at)?;
        match &mut self.values[target] {
            Value::Dict(entries) => {
                entries.extend(items.chunks_exact(2).map(|pair| (pair[0], pair[1])));
                Ok(())
            }
            other => Err(Fault::new(at, "a dictionary to add to", other.kind())),
        }
    }

    /// BUILD sets attributes: a state dict's `_metadata` (module versions), which is not needed,
    /// and a numpy dtype's byte order, the second part of its state.
    fn build(&mut self, at: u64) -> Result<(), Fault> {
        let state = self.pop(at)?;
        let target = self.top(at)?;
        match &self.values[target] {
            Value::Dict(_) => Ok(()),
            Value::Scalar(_) => match &self.values[state] {
                Value::Tuple(parts) if parts.get(1).is_some_and(|id| self.is_little(*id)) => Ok(()),
                other => Err(Fault::new(at, "a little-endian numpy dtype", other.kind())),
            },
            other => Err(Fault::new(at, "a dictionary that is given attributes", other.kind())),
        }
    }

    fn is_little(&self, id: Id) -> bool {
        matches!(&self.values[id], Value::Text(order) if &**order == "<")
    }

    /// A persistent id is `("storage", class, key, device, element count[, view])`.
    fn storage(&self, id: Id, at: u64) -> Result<StorageRef, Fault> {
        let fault = |found: String| {
            Fault::new(at, "a storage reference (\"storage\", class, key, device, count)", found)
        };
        let Value::Tuple(parts) = &self.values[id] else {
            return Err(fault(self.values[id].kind().to_string()));
        };
        let values: Vec<&Value> = parts.iter().take(7).map(|id| &self.values[*id]).collect();
        match values[..] {
            [
                Value::Text(tag),
                Value::Global(Global::Storage(element)),
                Value::Text(key),
                Value::Text(_),
                Value::Int(count @ 0..),
            ]
            | [
                Value::Text(tag),
                Value::Global(Global::Storage(element)),
                Value::Text(key),
                Value::Text(_),
                Value::Int(count @ 0..),
                Value::None,
            ] if &**tag == "storage" => {
                Ok(StorageRef { key: Rc::clone(key), element: *element, count: *count as u64 })
            }
            _ => {
                let kinds: Vec<&str> = values.iter().map(|v| v.kind()).collect();
                Err(fault(format!("a tuple of {}", kinds.join(", "))))
            }
        }
    }

    /// Counts what is made; a pickle that makes too much is refused.
    pub(super) fn spend(&mut self, count: usize, at: u64) -> Result<(), Fault> {
        self.spent = self.spent.saturating_add(count);
        if self.spent <= limits::PICKLE_VALUES {
            return Ok(());
        }
        Err(Fault::new(at, format!("at most {} values in a pickle", limits::PICKLE_VALUES), "more"))
    }

    /// Adds a value to the arena.
    pub(super) fn add(&mut self, value: Value, at: u64) -> Result<Id, Fault> {
        self.spend(1, at)?;
        self.values.push(value);
        Ok(self.values.len() - 1)
    }

    fn push(&mut self, value: Value, at: u64) -> Result<(), Fault> {
        let id = self.add(value, at)?;
        self.stack.push(id);
        Ok(())
    }

    /// Values that an opcode may take: those above the innermost mark.
    fn available(&self) -> usize {
        self.stack.len() - self.marks.last().copied().unwrap_or(0)
    }

    fn top(&self, at: u64) -> Result<Id, Fault> {
        match self.stack.last() {
            Some(id) if self.available() > 0 => Ok(*id),
            _ => Err(Fault::new(at, "a value on the stack", "none")),
        }
    }

    fn pop(&mut self, at: u64) -> Result<Id, Fault> {
        let id = self.top(at)?;
        self.stack.pop();
        Ok(id)
    }

    fn pop_many(&mut self, count: usize, at: u64) -> Result<Vec<Id>, Fault> {
        if self.available() < count {
            let found = format!("{}", self.available());
            return Err(Fault::new(at, format!("{count} values on the stack"), found));
        }
        Ok(self.stack.split_off(self.stack.len() - count))
    }

    fn pop_to_mark(&mut self, at: u64) -> Result<Vec<Id>, Fault> {
        match self.marks.pop() {
            Some(height) => Ok(self.stack.split_off(height)),
            None => Err(Fault::new(at, "a mark on the stack", "none")),
        }
    }
}

fn memo_key(short: bool, cursor: &mut Cursor<'_>) -> Result<u32, Fault> {
    if short {
        Ok(cursor.byte("a memo key")?.into())
    } else {
        Ok(u32::from_le_bytes(cursor.array("a memo key")?))
    }
}

fn read_number(code: u8, at: u64, cursor: &mut Cursor<'_>) -> Result<Value, Fault> {
    Ok(match code {
        op::BINFLOAT => Value::Float(f64::from_be_bytes(cursor.array("a float")?)),
        op::BININT1 => Value::Int(cursor.byte("an integer")?.into()),
        op::BININT2 => Value::Int(u16::from_le_bytes(cursor.array("an integer")?).into()),
        op::BININT => Value::Int(i32::from_le_bytes(cursor.array("an integer")?).into()),
        _ => {
            let count = cursor.byte("an integer's length")?;
            let bytes = cursor.take(count.into(), "an integer")?;
            if count > 8 {
                let found = format!("one of {count} bytes");
                return Err(Fault::new(at, "an integer of at most 64 bits", found));
            }
            let negative = bytes.last().is_some_and(|b| b & 0x80 != 0);
            let mut wide = if negative { [0xff; 8] } else { [0; 8] };
            wide[..bytes.len()].copy_from_slice(bytes);
            Value::Int(i64::from_le_bytes(wide))
        }
    })
}

fn read_text(bytes: &[u8], at: u64) -> Result<Rc<str>, Fault> {
    std::str::from_utf8(bytes)
        .map(Rc::from)
        .map_err(|e| Fault::new(at, "a string in UTF-8", e.to_string()))
}

fn read_global(at: u64, cursor: &mut Cursor<'_>) -> Result<Global, Fault> {
    let module = String::from_utf8_lossy(cursor.line("a module's name")?);
    let name = String::from_utf8_lossy(cursor.line("a global's name")?);
    Global::find(&module, &name).ok_or_else(|| {
        let wanted = "a global of state dicts (collections.OrderedDict, torch storages, torch.Size, numpy scalars, \
                      torch._utils._rebuild_tensor_v2 or _rebuild_parameter)";
        let found = format!("{}, which is not called", quote(&format!("{module}.{name}")));
        Fault::new(at, wanted, found)
    })
}
