//! The memory of batches: one arena is kept from batch to batch, for to get pages from the system and to give them back
//! takes a third as long as to read the spans that lie in them.

const std = @import("std");

pub const Arena = std.heap.ArenaAllocator;

/// More is given back: a transaction of 122,880 spans takes some 90 MiB.
const most_kept = 160 << 20;

var kept: std.atomic.Value(?*Arena) = .init(null);

pub fn take() error{OutOfMemory}!*Arena {
    if (kept.swap(null, .acquire)) |arena| return arena;
    const arena = try std.heap.page_allocator.create(Arena);
    arena.* = .init(std.heap.page_allocator);
    return arena;
}

pub fn giveBack(arena: *Arena) void {
    _ = arena.reset(.{ .retain_with_limit = most_kept });
    if (kept.swap(arena, .acq_rel)) |other| {
        other.deinit();
        std.heap.page_allocator.destroy(other);
    }
}
