//! The protobuf wire format, as far as OTLP's encoders write it.
//!
//! What is legal but no encoder writes (groups, a length of ten bytes, a field of another type) is `error.NotPlain`,
//! exactly like what is broken: the caller leaves both to protobuf.

const std = @import("std");

pub const Error = error{NotPlain};

pub const Type = enum(u3) { varint = 0, fixed64 = 1, bytes = 2, fixed32 = 5, _ };

pub const Tag = struct {
    field: u32,
    type: Type,

    pub fn expect(tag: Tag, wanted: Type) Error!void {
        if (tag.type != wanted) return error.NotPlain;
    }
};

/// Reads a message from its first byte to its last.
pub const Reader = struct {
    rest: []const u8,

    pub fn isDone(reader: *const Reader) bool {
        return reader.rest.len == 0;
    }

    pub fn varint(reader: *Reader) Error!u64 {
        const rest = reader.rest;
        if (rest.len == 0) return error.NotPlain;
        if (rest[0] < 0x80) {
            reader.rest = rest[1..];
            return rest[0];
        }
        var value: u64 = rest[0] & 0x7f;
        for (1..@min(rest.len, 10)) |position| {
            const byte = rest[position];
            if (position == 9 and byte > 1) return error.NotPlain;
            value |= @as(u64, byte & 0x7f) << @intCast(7 * position);
            if (byte < 0x80) {
                reader.rest = rest[position + 1 ..];
                return value;
            }
        }
        return error.NotPlain;
    }

    /// Return a tag or a length. Protobuf refuses those of more bytes than 32 bits take.
    inline fn narrow(reader: *Reader) Error!u32 {
        if (reader.rest.len > 0 and reader.rest[0] < 0x80) {
            const value = reader.rest[0];
            reader.rest = reader.rest[1..];
            return value;
        }
        return reader.narrowOfMoreBytes();
    }

    fn narrowOfMoreBytes(reader: *Reader) Error!u32 {
        const before = reader.rest.len;
        const value = try reader.varint();
        if (before - reader.rest.len > 5) return error.NotPlain;
        return std.math.cast(u32, value) orelse error.NotPlain;
    }

    pub inline fn tag(reader: *Reader) Error!Tag {
        const value = try reader.narrow();
        if (value < 8) return error.NotPlain;
        return .{ .field = @intCast(value >> 3), .type = @enumFromInt(@as(u3, @truncate(value))) };
    }

    pub inline fn bytes(reader: *Reader) Error![]const u8 {
        const length = try reader.narrow();
        if (length > reader.rest.len) return error.NotPlain;
        const value = reader.rest[0..length];
        reader.rest = reader.rest[length..];
        return value;
    }

    pub fn fixed64(reader: *Reader) Error!u64 {
        if (reader.rest.len < 8) return error.NotPlain;
        const value = std.mem.readInt(u64, reader.rest[0..8], .little);
        reader.rest = reader.rest[8..];
        return value;
    }

    pub fn fixed32(reader: *Reader) Error!u32 {
        if (reader.rest.len < 4) return error.NotPlain;
        const value = std.mem.readInt(u32, reader.rest[0..4], .little);
        reader.rest = reader.rest[4..];
        return value;
    }
};
