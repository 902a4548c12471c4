//! Says of a request whether it is plain: valid, and written as encoders write. What is said here of a plain request,
//! protobuf says too; the others are for protobuf to judge.

const std = @import("std");
const messages = @import("messages.zig");
const wire = @import("wire.zig");

/// Values nested deeper are left to protobuf, which has a limit of its own.
const depth_limit = 16;

/// Return how many spans a plain request holds.
pub fn spanCount(body: []const u8) wire.Error!u64 {
    var checker: Checker = .{};
    try messages.readRequest(body, &checker);
    return checker.spans;
}

const Checker = struct {
    spans: u64 = 0,

    pub fn resource(checker: *Checker, message: ?[]const u8) wire.Error!void {
        var reader: wire.Reader = .{ .rest = message orelse return };
        while (!reader.isDone()) {
            const tag = try reader.tag();
            switch (tag.field) {
                1 => {
                    try tag.expect(.bytes);
                    try checker.attribute(try reader.bytes());
                },
                2 => {
                    try tag.expect(.varint);
                    _ = try reader.varint();
                },
                else => return error.NotPlain,
            }
        }
    }

    pub fn scope(checker: *Checker, message: ?[]const u8) wire.Error!void {
        var reader: wire.Reader = .{ .rest = message orelse return };
        while (!reader.isDone()) {
            const tag = try reader.tag();
            switch (tag.field) {
                1, 2 => {
                    try tag.expect(.bytes);
                    try checker.text(try reader.bytes());
                },
                3 => {
                    try tag.expect(.bytes);
                    try checker.attribute(try reader.bytes());
                },
                4 => {
                    try tag.expect(.varint);
                    _ = try reader.varint();
                },
                else => return error.NotPlain,
            }
        }
    }

    pub fn span(checker: *Checker, message: []const u8) wire.Error!void {
        checker.spans += 1;
        _ = try messages.Span.read(message, checker);
    }

    pub fn event(checker: *Checker, message: []const u8) wire.Error!void {
        _ = try messages.Event.read(message, checker);
    }

    pub fn link(checker: *Checker, message: []const u8) wire.Error!void {
        _ = try messages.Link.read(message, checker);
    }

    pub fn attribute(checker: *Checker, message: []const u8) wire.Error!void {
        const read = try messages.Attribute.read(message);
        try checker.text(read.key);
        try checker.value(read.value, 0);
    }

    fn value(checker: *Checker, read: messages.Value, depth: u8) wire.Error!void {
        switch (read.kind) {
            .string => try checker.text(read.bytes),
            .array, .map => {
                if (depth == depth_limit) return error.NotPlain;
                var reader: wire.Reader = .{ .rest = read.bytes };
                while (!reader.isDone()) {
                    const tag = try reader.tag();
                    try tag.expect(.bytes);
                    if (tag.field != 1) return error.NotPlain;
                    const content = try reader.bytes();
                    if (read.kind == .array) {
                        try checker.value(try messages.Value.read(content), depth + 1);
                    } else {
                        const entry = try messages.Attribute.read(content);
                        try checker.text(entry.key);
                        try checker.value(entry.value, depth + 1);
                    }
                }
            },
            else => {},
        }
    }

    pub fn text(_: *Checker, content: []const u8) wire.Error!void {
        // Most texts are ASCII: eight bytes at a time.
        var rest = content;
        var bits: u64 = 0;
        while (rest.len >= 8) : (rest = rest[8..]) bits |= std.mem.readInt(u64, rest[0..8], .little);
        for (rest) |byte| bits |= byte;
        if (bits & 0x8080808080808080 == 0) return;
        if (!std.unicode.utf8ValidateSlice(content)) return error.NotPlain;
    }
};
