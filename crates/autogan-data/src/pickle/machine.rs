//! The pickle machine: opcodes in, a table of values out.

use std::collections::HashMap;
use std::ops::Range;
use std::path::Path;

use super::{Node, Value};
use crate::error::{DataError, Result};

type Nodes = Vec<(Value, usize)>;

/// Runs the opcodes of `bytes` until `STOP`; returns all values with their offsets, and the
/// one that is left on the stack.
pub(super) fn run(path: &Path, bytes: &[u8]) -> Result<(Nodes, Node)> {
    let mut machine = Machine {
        path,
        bytes,
        at: 0,
        opcode_at: 0,
        nodes: Vec::new(),
        stack: Vec::new(),
        marks: Vec::new(),
        memo: HashMap::new(),
    };
    loop {
        machine.opcode_at = machine.at;
        let opcode = machine.byte()?;
        if opcode == b'.' {
            let root = machine.pop()?;
            return Ok((machine.nodes, root));
        }
        machine.step(opcode)?;
    }
}

struct Machine<'a> {
    path: &'a Path,
    bytes: &'a [u8],
    at: usize,
    opcode_at: usize,
    nodes: Nodes,
    stack: Vec<Node>,
    /// Stack heights at which a `MARK` was pushed.
    marks: Vec<usize>,
    memo: HashMap<u32, Node>,
}

impl Machine<'_> {
    fn step(&mut self, opcode: u8) -> Result<()> {
        match opcode {
            // PROTO and FRAME carry nothing that is needed.
            0x80 => self.skip(1),
            0x95 => self.skip(8),
            b'N' => self.push(Value::None),
            0x88 => self.push(Value::Bool(true)),
            0x89 => self.push(Value::Bool(false)),
            b'J' | b'K' | b'M' | 0x8a => self.integer(opcode),
            b'T' | b'U' | b'X' | b'B' | b'C' | 0x8c | 0x8d | 0x8e | 0x96 => self.string(opcode),
            b']' => self.push(Value::List(Vec::new())),
            b')' => self.push(Value::Tuple(Vec::new())),
            b'}' => self.push(Value::Dict(Vec::new())),
            b'(' => {
                self.marks.push(self.stack.len());
                Ok(())
            }
            b'a' | b'e' | b's' | b'u' => self.extend(opcode),
            b't' | b'l' | b'd' | 0x85..=0x87 => self.collect(opcode),
            b'c' | 0x93 => self.global(opcode),
            b'R' | 0x81 | b'b' => self.call(opcode),
            b'q' | b'r' | 0x94 | b'h' | b'j' => self.memo(opcode),
            other => Err(self.odd(format!("opcode 0x{other:02x} ({:?})", other as char))),
        }
    }

    fn integer(&mut self, opcode: u8) -> Result<()> {
        let width = match opcode {
            b'K' => 1,
            b'M' => 2,
            b'J' => 4,
            _ => usize::from(self.byte()?),
        };
        if width > 8 {
            return Err(self.odd(format!("an integer of {width} bytes")));
        }
        let digits = self.take(width)?;
        let mut value = 0i64;
        for (place, &digit) in self.bytes[digits.clone()].iter().enumerate() {
            value |= i64::from(digit) << (8 * place);
        }
        let signed = matches!(opcode, b'J' | 0x8a);
        if signed && (1..8).contains(&width) {
            // Spread the sign bit over the bytes that were not written.
            let spare = 64 - 8 * width as u32;
            value = value << spare >> spare;
        }
        self.push(Value::Int(value))
    }

    fn string(&mut self, opcode: u8) -> Result<()> {
        let width = match opcode {
            b'U' | b'C' | 0x8c => 1,
            b'T' | b'X' | b'B' => 4,
            _ => 8,
        };
        let len = self.number(width)?;
        let range = self.take(len)?;
        match opcode {
            b'X' | 0x8c | 0x8d => self.push(Value::Text(range)),
            _ => self.push(Value::Bytes(range)),
        }
    }

    /// `APPEND`, `APPENDS`, `SETITEM`, `SETITEMS`: items onto the container below them.
    fn extend(&mut self, opcode: u8) -> Result<()> {
        let items = match opcode {
            b'a' => vec![self.pop()?],
            b's' => {
                let value = self.pop()?;
                vec![self.pop()?, value]
            }
            _ => self.pop_to_mark()?,
        };
        let container = self.peek()?;
        match &mut self.nodes[container].0 {
            Value::List(list) if matches!(opcode, b'a' | b'e') => list.extend(items),
            Value::Dict(dict) if matches!(opcode, b's' | b'u') && items.len() % 2 == 0 => {
                dict.extend(items.chunks(2).map(|pair| (pair[0], pair[1])));
            }
            _ => return Err(self.odd("items for something that takes none".into())),
        }
        Ok(())
    }

    /// `TUPLE`, `LIST`, `DICT`, `TUPLE1` to `TUPLE3`: a container out of items on the stack.
    fn collect(&mut self, opcode: u8) -> Result<()> {
        let items = match opcode {
            0x85..=0x87 => {
                let mut items = Vec::new();
                for _ in 0x84..opcode {
                    items.insert(0, self.pop()?);
                }
                items
            }
            _ => self.pop_to_mark()?,
        };
        match opcode {
            b'l' => self.push(Value::List(items)),
            b'd' => {
                let pairs = items.chunks_exact(2).map(|pair| (pair[0], pair[1]));
                self.push(Value::Dict(pairs.collect()))
            }
            _ => self.push(Value::Tuple(items)),
        }
    }

    fn global(&mut self, opcode: u8) -> Result<()> {
        let (module, name) = if opcode == b'c' {
            (self.line()?, self.line()?)
        } else {
            let name = self.pop_text()?;
            (self.pop_text()?, name)
        };
        self.push(Value::Global(format!("{module}.{name}")))
    }

    /// `REDUCE` and `NEWOBJ` note a call; `BUILD` notes the state given to its result.
    fn call(&mut self, opcode: u8) -> Result<()> {
        let top = self.pop()?;
        if opcode != b'b' {
            let callee = self.pop()?;
            return self.push(Value::Call { callee, arguments: top, state: None });
        }
        let object = self.peek()?;
        match &mut self.nodes[object].0 {
            Value::Call { state, .. } => {
                *state = Some(top);
                Ok(())
            }
            _ => Err(self.odd("a state for something that is no object".into())),
        }
    }

    fn memo(&mut self, opcode: u8) -> Result<()> {
        let key = match opcode {
            b'q' | b'h' => self.number(1)?,
            b'r' | b'j' => self.number(4)?,
            _ => self.memo.len(),
        };
        // Keys have at most 4 bytes; MEMOIZE counts entries, of which a file holds fewer.
        let key = key as u32;
        if matches!(opcode, b'h' | b'j') {
            let Some(&node) = self.memo.get(&key) else {
                return Err(self.odd(format!("memo entry {key}, which was never stored")));
            };
            self.stack.push(node);
            return Ok(());
        }
        let top = self.peek()?;
        self.memo.insert(key, top);
        Ok(())
    }

    fn push(&mut self, value: Value) -> Result<()> {
        self.stack.push(self.nodes.len());
        self.nodes.push((value, self.opcode_at));
        Ok(())
    }

    fn floor(&self) -> usize {
        self.marks.last().copied().unwrap_or(0)
    }

    fn pop(&mut self) -> Result<Node> {
        if self.stack.len() <= self.floor() {
            return Err(self.odd("an opcode that takes more values than there are".into()));
        }
        self.stack.pop().ok_or_else(|| self.odd("no value".into()))
    }

    fn peek(&self) -> Result<Node> {
        let top = self.stack.last().copied();
        top.ok_or_else(|| self.odd("an opcode that needs a value where there is none".into()))
    }

    fn pop_to_mark(&mut self) -> Result<Vec<Node>> {
        let mark = self.marks.pop();
        match mark {
            Some(mark) if mark <= self.stack.len() => Ok(self.stack.split_off(mark)),
            _ => Err(self.odd("an opcode that needs a mark where there is none".into())),
        }
    }

    fn pop_text(&mut self) -> Result<String> {
        let node = self.pop()?;
        match &self.nodes[node].0 {
            Value::Text(range) => {
                Ok(String::from_utf8_lossy(&self.bytes[range.clone()]).into_owned())
            }
            _ => Err(self.odd("a global whose name is no text".into())),
        }
    }

    fn byte(&mut self) -> Result<u8> {
        let range = self.take(1)?;
        Ok(self.bytes[range.start])
    }

    /// An unsigned number of `width` bytes, at most 8.
    fn number(&mut self, width: usize) -> Result<usize> {
        let range = self.take(width)?;
        let digits = self.bytes[range].iter().rev();
        let value = digits.fold(0u64, |value, &digit| value << 8 | u64::from(digit));
        usize::try_from(value).map_err(|_| self.odd(format!("a length of {value}")))
    }

    fn skip(&mut self, count: usize) -> Result<()> {
        self.take(count).map(|_| ())
    }

    fn line(&mut self) -> Result<String> {
        let rest = &self.bytes[self.at..];
        let Some(len) = rest.iter().position(|&byte| byte == b'\n') else {
            return Err(self.ended(1));
        };
        let text = String::from_utf8_lossy(&rest[..len]).into_owned();
        self.at += len + 1;
        Ok(text)
    }

    fn take(&mut self, count: usize) -> Result<Range<usize>> {
        let end = self.at.checked_add(count);
        match end.filter(|&end| end <= self.bytes.len()) {
            Some(end) => {
                let range = self.at..end;
                self.at = end;
                Ok(range)
            }
            None => Err(self.ended(count)),
        }
    }

    fn ended(&self, wanted: usize) -> DataError {
        DataError::format(
            self.path,
            self.at as u64,
            format!("{wanted} more bytes of a pickle that goes on"),
            format!("the end of the file after {}", self.bytes.len() - self.at),
            "the file is cut off or no pickle; unpack cifar-10-python.tar.gz again",
        )
    }

    fn odd(&self, found: String) -> DataError {
        DataError::format(
            self.path,
            self.opcode_at as u64,
            "a pickle of plain data and numpy arrays (protocol 2 to 5)",
            found,
            "the file is no such pickle; nothing in it was executed",
        )
    }
}
