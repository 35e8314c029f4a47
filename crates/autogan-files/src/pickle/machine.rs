//! The pickle machine interprets opcodes with a stack, a memo and a table of values. It calls nothing.

use std::collections::HashMap;

use super::cursor::Cursor;
use super::opcode::*;
use super::{Call, Id, MAX_VALUES, Node, Value, scalar};
use crate::{Fault, quote};

type Result<T, E = Fault> = std::result::Result<T, E>;

/// Interprets one pickle to its STOP opcode: all values, and the one that is left on the stack.
pub(super) fn run<'a>(cursor: &mut Cursor<'a>) -> Result<(Vec<Node<'a>>, Id)> {
    let mut machine = Machine { start: cursor.offset(), ..Machine::default() };
    loop {
        machine.at = cursor.offset();
        let code = cursor.byte("a pickle opcode")?;
        if code == STOP {
            let root = machine.pop()?;
            return Ok((machine.nodes, root));
        }
        machine.step(code, cursor)?;
    }
}

#[derive(Default)]
struct Machine<'a> {
    nodes: Vec<Node<'a>>,
    stack: Vec<Id>,
    /// Heights of the stack at the open marks.
    marks: Vec<usize>,
    memo: HashMap<u32, Id>,
    /// Values and references made so far.
    spent: usize,
    /// Offset of the pickle.
    start: u64,
    /// Offset of the opcode at work.
    at: u64,
}

impl<'a> Machine<'a> {
    fn step(&mut self, code: u8, cursor: &mut Cursor<'a>) -> Result<()> {
        match code {
            PROTO => self.protocol(cursor),
            FRAME => cursor.take(8, "a frame's length").map(drop),
            NONE => self.push(Value::None),
            NEWTRUE | NEWFALSE => self.push(Value::Bool(code == NEWTRUE)),
            BINFLOAT | FLOAT | BININT | BININT1 | BININT2 | INT | LONG | LONG1 | LONG4 => {
                let number = scalar::number(code, self.at, cursor)?;
                self.push(number)
            }
            BINUNICODE | SHORT_BINUNICODE | BINUNICODE8 | UNICODE | BINSTRING | SHORT_BINSTRING
            | STRING | BINBYTES | SHORT_BINBYTES | BINBYTES8 | BYTEARRAY8 => {
                let string = scalar::string(code, self.at, cursor)?;
                self.push(string)
            }
            EMPTY_LIST => self.push(Value::List(Vec::new())),
            EMPTY_TUPLE => self.push(Value::Tuple(Vec::new())),
            EMPTY_DICT => self.push(Value::Dict(Vec::new())),
            EMPTY_SET => self.push(Value::Set(Vec::new())),
            MARK => {
                self.marks.push(self.stack.len());
                self.spend()
            }
            POP if self.available() == 0 && !self.marks.is_empty() => {
                self.marks.pop();
                Ok(())
            }
            POP => self.pop().map(drop),
            POP_MARK => self.pop_to_mark().map(drop),
            DUP => {
                let top = self.top()?;
                self.refer(top)
            }
            APPEND | APPENDS | ADDITEMS => self.append(code),
            SETITEM | SETITEMS => self.set_items(code),
            TUPLE | TUPLE1 | TUPLE2 | TUPLE3 | LIST | DICT | FROZENSET => self.collect(code),
            GLOBAL | STACK_GLOBAL => {
                let global = self.global(code == GLOBAL, cursor)?;
                self.refer(global)
            }
            REDUCE | NEWOBJ | NEWOBJ_EX | INST | OBJ => self.call(code, cursor),
            BUILD => self.build(),
            PUT | BINPUT | LONG_BINPUT | MEMOIZE => {
                let key = self.memo_key(code, cursor)?;
                let top = self.top()?;
                self.memo.insert(key, top);
                self.spend()
            }
            GET | BINGET | LONG_BINGET => {
                let key = self.memo_key(code, cursor)?;
                let found = self.memo.get(&key).copied();
                let id = found.ok_or_else(|| {
                    self.fault("a memo entry made before", format!("memo entry {key}, never made"))
                })?;
                self.refer(id)
            }
            PERSID => {
                let line = cursor.line("a persistent id")?;
                let id = self.add(Value::Text(String::from_utf8_lossy(line)))?;
                self.push(Value::Persistent(id))
            }
            BINPERSID => {
                let id = self.pop()?;
                self.push(Value::Persistent(id))
            }
            _ => Err(self.fault(
                "an opcode of pickle protocols 0 to 5 that stands for data in the file",
                format!(
                    "opcode {code:#04x} ({}); nothing in this file is executed",
                    refused_name(code)
                ),
            )),
        }
    }

    fn protocol(&self, cursor: &mut Cursor<'a>) -> Result<()> {
        match cursor.byte("the pickle's protocol")? {
            0..=5 => Ok(()),
            other => Err(self.fault("a pickle of protocol 0 to 5", format!("protocol {other}"))),
        }
    }

    /// `APPEND`, `APPENDS` and `ADDITEMS` put items into the list or set below them.
    fn append(&mut self, code: u8) -> Result<()> {
        let items = self.operands(code)?;
        let target = self.top()?;
        match &mut self.nodes[target.0 as usize].value {
            Value::List(list) | Value::Set(list) => list.extend(items),
            Value::Call(call) => call.items.extend(items),
            _ => return Err(self.fault("a list to append to", "items for another value")),
        }
        Ok(())
    }

    /// `SETITEM` and `SETITEMS` put keys and values into the dictionary below them.
    fn set_items(&mut self, code: u8) -> Result<()> {
        let items = self.operands(code)?;
        let pairs = self.pairs(&items)?;
        let target = self.top()?;
        match &mut self.nodes[target.0 as usize].value {
            Value::Dict(entries) => entries.extend(pairs),
            Value::Call(call) => call.entries.extend(pairs),
            _ => return Err(self.fault("a dictionary to add to", "entries for another value")),
        }
        Ok(())
    }

    fn pairs(&self, items: &[Id]) -> Result<Vec<(Id, Id)>> {
        let (pairs, rest) = items.as_chunks::<2>();
        if !rest.is_empty() {
            return Err(self.fault("pairs of key and value", format!("{} values", items.len())));
        }
        Ok(pairs.iter().map(|&[key, value]| (key, value)).collect())
    }

    /// Makes a container of items on the stack.
    fn collect(&mut self, code: u8) -> Result<()> {
        let items = self.operands(code)?;
        let value = match code {
            LIST => Value::List(items),
            FROZENSET => Value::Set(items),
            DICT => Value::Dict(self.pairs(&items)?),
            _ => Value::Tuple(items),
        };
        self.push(value)
    }

    /// Reads the name of a class or function: from two lines, or from two texts on the stack.
    fn global(&mut self, lines: bool, cursor: &mut Cursor<'a>) -> Result<Id> {
        let [module, name] = if lines {
            let text = |line: &'a [u8]| Value::Text(String::from_utf8_lossy(line));
            let module = text(cursor.line("a module's name")?);
            let name = text(cursor.line("a global's name")?);
            [self.add(module)?, self.add(name)?]
        } else {
            let parts = self.pop_many(2)?;
            [parts[0], parts[1]]
        };
        let is_text = |id: Id| matches!(self.nodes[id.0 as usize].value, Value::Text(_));
        if !is_text(module) || !is_text(name) {
            return Err(self.fault("the name of a global, two texts", "other values"));
        }
        self.add(Value::Global { module, name })
    }

    /// Notes a call that Python would make.
    fn call(&mut self, code: u8, cursor: &mut Cursor<'a>) -> Result<()> {
        let (callee, arguments) = match code {
            INST => {
                let items = self.pop_to_mark()?;
                (self.global(true, cursor)?, self.add(Value::Tuple(items))?)
            }
            OBJ => {
                let mut items = self.pop_to_mark()?;
                if items.is_empty() {
                    return Err(self.fault("a class and its arguments", "nothing"));
                }
                (items.remove(0), self.add(Value::Tuple(items))?)
            }
            _ => {
                if code == NEWOBJ_EX {
                    // Arguments by name.
                    self.pop()?;
                }
                let arguments = self.pop()?;
                (self.pop()?, arguments)
            }
        };
        if !matches!(self.nodes[arguments.0 as usize].value, Value::Tuple(_)) {
            return Err(self.fault("a tuple of arguments", "another value"));
        }
        let (items, entries) = (Vec::new(), Vec::new());
        self.push(Value::Call(Box::new(Call { callee, arguments, state: None, items, entries })))
    }

    /// `BUILD` gives the result of a call its state; attributes of other values are passed over.
    fn build(&mut self) -> Result<()> {
        let state = self.pop()?;
        let target = self.top()?;
        if let Value::Call(call) = &mut self.nodes[target.0 as usize].value {
            call.state = Some(state);
        }
        Ok(())
    }

    fn memo_key(&self, code: u8, cursor: &mut Cursor<'a>) -> Result<u32> {
        match code {
            BINPUT | BINGET => Ok(cursor.byte("a memo key")?.into()),
            LONG_BINPUT | LONG_BINGET => Ok(u32::from_le_bytes(cursor.array("a memo key")?)),
            // Entries are counted by `spend`, so that there are few.
            MEMOIZE => Ok(self.memo.len() as u32),
            _ => {
                let line = String::from_utf8_lossy(cursor.line("a memo key")?);
                line.parse().map_err(|_| self.fault("a memo key", quote(&line)))
            }
        }
    }

    /// Counts a value or a reference; a pickle that makes too much is refused.
    fn spend(&mut self) -> Result<()> {
        self.spent += 1;
        if self.spent <= MAX_VALUES {
            return Ok(());
        }
        Err(self.fault(format!("at most {MAX_VALUES} values in a pickle"), "more"))
    }

    /// Adds a value to the table.
    fn add(&mut self, value: Value<'a>) -> Result<Id> {
        self.spend()?;
        // Both fit: `MAX_VALUES` and `MAX_BYTES` are far below.
        let id = Id(self.nodes.len() as u32);
        self.nodes.push(Node { value, at: (self.at - self.start) as u32 });
        Ok(id)
    }

    fn push(&mut self, value: Value<'a>) -> Result<()> {
        let id = self.add(value)?;
        self.stack.push(id);
        Ok(())
    }

    /// Puts a value that is there onto the stack once more.
    fn refer(&mut self, id: Id) -> Result<()> {
        self.stack.push(id);
        self.spend()
    }

    /// Values that an opcode may take: those above the innermost mark.
    fn available(&self) -> usize {
        self.stack.len() - self.marks.last().copied().unwrap_or(0)
    }

    fn top(&self) -> Result<Id> {
        match self.stack.last() {
            Some(id) if self.available() > 0 => Ok(*id),
            _ => Err(self.too_few()),
        }
    }

    fn pop(&mut self) -> Result<Id> {
        let id = self.top()?;
        self.stack.pop();
        Ok(id)
    }

    fn pop_many(&mut self, count: usize) -> Result<Vec<Id>> {
        if self.available() < count {
            return Err(self.too_few());
        }
        Ok(self.stack.split_off(self.stack.len() - count))
    }

    /// The items that an opcode puts into a container.
    fn operands(&mut self, code: u8) -> Result<Vec<Id>> {
        match code {
            APPEND => self.pop_many(1),
            SETITEM => self.pop_many(2),
            TUPLE1 | TUPLE2 | TUPLE3 => self.pop_many((code - TUPLE1 + 1).into()),
            _ => self.pop_to_mark(),
        }
    }

    fn pop_to_mark(&mut self) -> Result<Vec<Id>> {
        match self.marks.pop() {
            Some(height) => Ok(self.stack.split_off(height)),
            None => Err(self.fault("a mark on the stack", "none, for an opcode that needs a mark")),
        }
    }

    fn too_few(&self) -> Fault {
        self.fault("a value on the stack", "an opcode that takes more values than there are")
    }

    fn fault(&self, expected: impl Into<String>, found: impl Into<String>) -> Fault {
        Fault::new(self.at, expected, found)
    }
}

#[cfg(test)]
mod tests {
    use super::super::Pickle;

    /// The error of a pickle.
    fn refused(bytes: &[u8]) -> String {
        Pickle::parse(bytes).unwrap_err().to_string()
    }

    #[test]
    fn broken_programs_are_refused_by_offset() {
        for (bytes, at, words) in [
            (&b""[..], 0, "the end of the file"),
            (b"Hello", 0, "opcode 0x48 (unknown)"),
            (b"\x80\x06.", 0, "protocol 6"),
            (b"\x80\x02}U\x04data", 9, "the end of the file"),
            (b"\x80\x02h\x05.", 2, "memo entry 5"),
            (b"\x80\x02t.", 2, "needs a mark"),
            (b"\x80\x02R.", 2, "more values than there are"),
            (b"N(R.", 2, "more values than there are"),
            (b"\x80\x02T\xff\xff\xff\xffab.", 7, "after 3"),
            (b"\x80\x04\x8d\xff\xff\xff\xff\xff\xff\xff\xffab.", 11, "after 3"),
            (b"\x80\x02X\xff\xff\xff\xff", 7, "4294967295 bytes of a string"),
            (b"\x82\x01.", 0, "opcode 0x82 (EXT"),
            (b"\x97.", 0, "NEXT_BUFFER"),
            (b"NNa.", 2, "a list to append to"),
            (b"}(Nu.", 3, "pairs of key and value"),
            (b"KNN\x93.", 3, "the name of a global"),
            (b"NNR.", 2, "a tuple of arguments"),
            (b"(o.", 1, "a class and its arguments"),
            (b"gx\n.", 0, "a memo key"),
        ] {
            let text = refused(bytes);
            assert!(text.starts_with(&format!("at byte {at}: ")), "{bytes:?}: {text}");
            assert!(text.contains(words), "{bytes:?}: {text}");
        }
    }

    #[test]
    fn what_a_pickle_makes_is_counted() {
        let many = [b"(".to_vec(), b"N".repeat(4_100_000), b"t.".to_vec()].concat();
        assert!(refused(&many).contains("at most 4000000 values"));
        let doubled = [b"N".to_vec(), b"2".repeat(4_100_000), b".".to_vec()].concat();
        assert!(refused(&doubled).contains("at most 4000000 values"));
        let marks = b"(".repeat(4_100_000);
        assert!(refused(&marks).contains("at most 4000000 values"));
    }

    #[test]
    fn every_way_to_call_is_noted() {
        for bytes in [
            &b"(S'rm'\nios\nsystem\n."[..],
            b"(cos\nsystem\nS'rm'\no.",
            b"cos\nsystem\n(S'rm'\ntR.",
            b"\x80\x02cos\nsystem\nU\x02rm\x85\x81.",
            b"\x80\x04\x8c\x02os\x8c\x06system\x93C\x02rm\x85}\x92.",
        ] {
            let pickle = Pickle::parse(bytes).unwrap();
            assert_eq!(pickle.kind(pickle.root()), "a call of os.system (not made)");
            let called = pickle.called(pickle.root()).unwrap();
            assert_eq!((called.module, called.name), ("os", "system"));
            assert_eq!(pickle.text(called.arguments[0]).as_deref(), Some("rm"));
        }
    }

    #[test]
    fn marks_and_values_can_be_dropped() {
        for bytes in [&b"N(0."[..], b"NN0.", b"N(NN1.", b"N2N00."] {
            let pickle = Pickle::parse(bytes).unwrap();
            assert_eq!(pickle.kind(pickle.root()), "None", "{bytes:?}");
        }
    }
}
