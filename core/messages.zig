//! OTLP's trace messages, read field by field from their bytes. Nothing is copied: every slice is one of the request.
//!
//! Field numbers are those of opentelemetry-proto 1.9 (trace.proto, common.proto, resource.proto). A field that is not
//! among them makes a request one for protobuf.

const std = @import("std");
const wire = @import("wire.zig");

pub const Error = wire.Error;

// A field number and its type, as they begin a field that holds bytes.
const key_tag = 1 << 3 | 2;
const value_tag = 2 << 3 | 2;
const text_tag = 1 << 3 | 2;

pub const ValueKind = enum(u8) { absent, string, boolean, integer, double, array, map, bytes };

/// An AnyValue.
pub const Value = struct {
    kind: ValueKind = .absent,
    /// The text or bytes; of an array or map the serialised message.
    bytes: []const u8 = &.{},
    /// The integer, the boolean, or the bits of the double.
    number: u64 = 0,
    /// The serialised AnyValue.
    whole: []const u8 = &.{},

    /// Most values are texts of less than 128 bytes, and nothing more.
    pub inline fn read(message: []const u8) Error!Value {
        if (message.len >= 2 and message[0] == text_tag and message[1] < 0x80 and message[1] == message.len - 2) {
            return .{ .kind = .string, .bytes = message[2..], .whole = message };
        }
        return readAny(message);
    }

    fn readAny(message: []const u8) Error!Value {
        var value: Value = .{ .whole = message };
        if (message.len == 0) return value;
        var reader: wire.Reader = .{ .rest = message };
        const tag = try reader.tag();
        switch (tag.field) {
            1, 5, 6, 7 => {
                try tag.expect(.bytes);
                value.bytes = try reader.bytes();
                value.kind = switch (tag.field) {
                    1 => .string,
                    5 => .array,
                    6 => .map,
                    else => .bytes,
                };
            },
            2, 3 => {
                try tag.expect(.varint);
                value.number = try reader.varint();
                value.kind = if (tag.field == 2) .boolean else .integer;
            },
            4 => {
                try tag.expect(.fixed64);
                value.number = try reader.fixed64();
                value.kind = .double;
            },
            else => return error.NotPlain,
        }
        // Of two members the last one counts, and arrays are joined: that is protobuf's business.
        return if (reader.isDone()) value else error.NotPlain;
    }
};

pub const Attribute = struct {
    key: []const u8 = &.{},
    value: Value = .{},

    /// Most attributes are a key and a value of less than 128 bytes each, in this order.
    pub inline fn read(message: []const u8) Error!Attribute {
        if (message.len >= 2 and message[0] == key_tag and message[1] < 0x80) {
            const end = 2 + @as(usize, message[1]);
            if (end + 2 <= message.len and message[end] == value_tag and message[end + 1] == message.len - end - 2 and
                message[end + 1] < 0x80)
            {
                return .{ .key = message[2..end], .value = try Value.read(message[end + 2 ..]) };
            }
        }
        return readAny(message);
    }

    fn readAny(message: []const u8) Error!Attribute {
        var attribute: Attribute = .{};
        var has_key = false;
        var has_value = false;
        var reader: wire.Reader = .{ .rest = message };
        while (!reader.isDone()) {
            const tag = try reader.tag();
            try tag.expect(.bytes);
            const content = try reader.bytes();
            switch (tag.field) {
                1 => {
                    if (has_key) return error.NotPlain;
                    has_key = true;
                    attribute.key = content;
                },
                2 => {
                    if (has_value) return error.NotPlain;
                    has_value = true;
                    attribute.value = try Value.read(content);
                },
                else => return error.NotPlain,
            }
        }
        return attribute;
    }
};

pub const Status = struct {
    message: []const u8 = &.{},
    code: u64 = 0,

    fn read(message: []const u8) Error!Status {
        var status: Status = .{};
        var reader: wire.Reader = .{ .rest = message };
        while (!reader.isDone()) {
            const tag = try reader.tag();
            switch (tag.field) {
                2 => {
                    try tag.expect(.bytes);
                    if (status.message.len > 0) return error.NotPlain;
                    status.message = try reader.bytes();
                },
                3 => {
                    try tag.expect(.varint);
                    status.code = try reader.varint();
                },
                else => return error.NotPlain,
            }
        }
        return status;
    }
};

pub const Span = struct {
    trace_id: []const u8 = &.{},
    span_id: []const u8 = &.{},
    parent_span_id: []const u8 = &.{},
    trace_state: []const u8 = &.{},
    name: []const u8 = &.{},
    kind: u64 = 0,
    start: u64 = 0,
    end: u64 = 0,
    status: Status = .{},

    /// Read a span; the visitor is given each attribute, event, link and text of its own: `attribute`, `event`, `link`,
    /// `text`.
    pub fn read(message: []const u8, visitor: anytype) !Span {
        var span: Span = .{};
        var has_status = false;
        var reader: wire.Reader = .{ .rest = message };
        while (!reader.isDone()) {
            const tag = try reader.tag();
            switch (tag.field) {
                1, 2, 3, 4, 5, 9, 11, 13, 15 => {
                    try tag.expect(.bytes);
                    const content = try reader.bytes();
                    switch (tag.field) {
                        1 => span.trace_id = try id(content, 16),
                        2 => span.span_id = try id(content, 8),
                        3 => {
                            try visitor.text(content);
                            span.trace_state = content;
                        },
                        4 => span.parent_span_id = try id(content, 8),
                        5 => {
                            try visitor.text(content);
                            span.name = content;
                        },
                        9 => try visitor.attribute(content),
                        11 => try visitor.event(content),
                        13 => try visitor.link(content),
                        else => {
                            if (has_status) return error.NotPlain;
                            has_status = true;
                            span.status = try Status.read(content);
                            try visitor.text(span.status.message);
                        },
                    }
                },
                6, 10, 12, 14 => {
                    try tag.expect(.varint);
                    const number = try reader.varint();
                    if (tag.field == 6) span.kind = number;
                },
                7, 8 => {
                    try tag.expect(.fixed64);
                    const time = try reader.fixed64();
                    if (tag.field == 7) span.start = time else span.end = time;
                },
                16 => {
                    try tag.expect(.fixed32);
                    _ = try reader.fixed32();
                },
                else => return error.NotPlain,
            }
        }
        return span;
    }
};

pub const Event = struct {
    time: u64 = 0,
    name: []const u8 = &.{},

    /// Read an event; the visitor is given each attribute and text.
    pub fn read(message: []const u8, visitor: anytype) !Event {
        var event: Event = .{};
        var reader: wire.Reader = .{ .rest = message };
        while (!reader.isDone()) {
            const tag = try reader.tag();
            switch (tag.field) {
                1 => {
                    try tag.expect(.fixed64);
                    event.time = try reader.fixed64();
                },
                2 => {
                    try tag.expect(.bytes);
                    event.name = try reader.bytes();
                    try visitor.text(event.name);
                },
                3 => {
                    try tag.expect(.bytes);
                    try visitor.attribute(try reader.bytes());
                },
                4 => {
                    try tag.expect(.varint);
                    _ = try reader.varint();
                },
                else => return error.NotPlain,
            }
        }
        return event;
    }
};

pub const Link = struct {
    trace_id: []const u8 = &.{},
    span_id: []const u8 = &.{},
    trace_state: []const u8 = &.{},

    /// Read a link; the visitor is given each attribute and text.
    pub fn read(message: []const u8, visitor: anytype) !Link {
        var link: Link = .{};
        var reader: wire.Reader = .{ .rest = message };
        while (!reader.isDone()) {
            const tag = try reader.tag();
            switch (tag.field) {
                1, 2, 3, 4 => {
                    try tag.expect(.bytes);
                    const content = try reader.bytes();
                    switch (tag.field) {
                        1 => link.trace_id = try id(content, 16),
                        2 => link.span_id = try id(content, 8),
                        3 => {
                            try visitor.text(content);
                            link.trace_state = content;
                        },
                        else => try visitor.attribute(content),
                    }
                },
                5 => {
                    try tag.expect(.varint);
                    _ = try reader.varint();
                },
                6 => {
                    try tag.expect(.fixed32);
                    _ = try reader.fixed32();
                },
                else => return error.NotPlain,
            }
        }
        return link;
    }
};


/// Read a request; the visitor is given each Resource (null where a group has none), InstrumentationScope and Span, as
/// serialised messages: `resource`, `scope` and `span`.
pub fn readRequest(body: []const u8, visitor: anytype) !void {
    var reader: wire.Reader = .{ .rest = body };
    while (!reader.isDone()) {
        const tag = try reader.tag();
        try tag.expect(.bytes);
        if (tag.field != 1) return error.NotPlain;
        var groups: wire.Reader = .{ .rest = try reader.bytes() };
        try visitor.resource(try first(&groups));
        while (try nextMany(&groups, visitor)) |scope_spans| {
            var spans: wire.Reader = .{ .rest = scope_spans };
            try visitor.scope(try first(&spans));
            while (try nextMany(&spans, visitor)) |span| try visitor.span(span);
        }
    }
}

/// Return the resource or scope of a group, its field 1, and go past it: every encoder writes it first.
fn first(reader: *wire.Reader) Error!?[]const u8 {
    var ahead = reader.*;
    if (ahead.isDone()) return null;
    const tag = try ahead.tag();
    if (tag.field != 1) return null;
    try tag.expect(.bytes);
    const content = try ahead.bytes();
    reader.* = ahead;
    return content;
}

/// Return the next field 2 of a group; the visitor is given schema URLs as `text`.
fn nextMany(reader: *wire.Reader, visitor: anytype) !?[]const u8 {
    while (!reader.isDone()) {
        const tag = try reader.tag();
        try tag.expect(.bytes);
        const content = try reader.bytes();
        switch (tag.field) {
            2 => return content,
            3 => try visitor.text(content),
            else => return error.NotPlain,
        }
    }
    return null;
}

fn id(content: []const u8, length: usize) Error![]const u8 {
    return if (content.len == 0 or content.len == length) content else error.NotPlain;
}
