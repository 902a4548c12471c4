//! Arrow's buffers, built row by row.

const std = @import("std");

const Allocator = std.mem.Allocator;

pub const Error = error{ OutOfMemory, TooLarge };

/// Which rows are not null, a bit each.
pub const Validity = struct {
    bits: []u8 = &.{},
    nulls: u64 = 0,

    pub fn init(allocator: Allocator, rows: usize) Error!Validity {
        const bits = try allocator.alloc(u8, rows / 8 + 1);
        @memset(bits, 0xff);
        return .{ .bits = bits };
    }

    pub fn setNull(validity: *Validity, row: usize) void {
        validity.bits[row / 8] &= ~(@as(u8, 1) << @intCast(row % 8));
        validity.nulls += 1;
    }
};

/// Numbers of one type, one per row; those of nulls are 0.
pub fn Fixed(comptime T: type) type {
    return struct {
        const Self = @This();

        values: []T,
        validity: Validity,

        pub fn init(allocator: Allocator, rows: usize) Error!Self {
            return .{ .values = try allocator.alloc(T, rows), .validity = try .init(allocator, rows) };
        }

        pub fn set(self: *Self, row: usize, value: ?T) void {
            self.values[row] = value orelse 0;
            if (value == null) self.validity.setNull(row);
        }
    };
}

/// Texts, one per row, of as many rows as were announced.
pub const Texts = struct {
    allocator: Allocator,
    offsets: []i32,
    validity: Validity,
    data: std.ArrayList(u8) = .empty,
    rows: usize = 0,

    pub fn init(allocator: Allocator, rows: usize) Error!Texts {
        const offsets = try allocator.alloc(i32, rows + 1);
        offsets[0] = 0;
        return .{ .allocator = allocator, .offsets = offsets, .validity = try .init(allocator, rows) };
    }

    pub fn add(texts: *Texts, text: []const u8) Error!void {
        try texts.data.appendSlice(texts.allocator, text);
        try texts.end();
    }

    pub fn addNull(texts: *Texts) Error!void {
        texts.validity.setNull(texts.rows);
        try texts.end();
    }

    pub fn addOrNull(texts: *Texts, text: []const u8) Error!void {
        if (text.len == 0) try texts.addNull() else try texts.add(text);
    }

    /// End a row whose text was appended to `data`.
    pub fn end(texts: *Texts) Error!void {
        texts.rows += 1;
        texts.offsets[texts.rows] = std.math.cast(i32, texts.data.items.len) orelse return error.TooLarge;
    }
};
