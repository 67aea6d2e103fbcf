/** The virtual clock: events in the order of their time, ties in the order in which they were made. Nothing runs beside them. */
export type Clock = {
  now(): number
  at(time: number, act: () => Promise<void> | void): void
  /** Runs the next event; false when there is none before `until`. */
  next(until: number): Promise<boolean>
}

type Event = { readonly time: number; readonly order: number; readonly act: () => Promise<void> | void }

const before = (a: Event, b: Event): boolean => a.time < b.time || (a.time === b.time && a.order < b.order)

export function createClock(): Clock {
  const heap: Event[] = []
  let now = 0
  let made = 0

  function push(event: Event): void {
    let at = heap.length
    heap.push(event)
    while (at > 0) {
      const up = (at - 1) >> 1
      const parent = heap[up]
      if (parent === undefined || !before(event, parent)) break
      heap[at] = parent
      at = up
    }
    heap[at] = event
  }

  function pop(): Event | undefined {
    const top = heap[0]
    const last = heap.pop()
    if (top === undefined || last === undefined || heap.length === 0) return top
    let at = 0
    for (;;) {
      let down = 2 * at + 1
      const left = heap[down]
      if (left === undefined) break
      const right = heap[down + 1]
      let child = left
      if (right !== undefined && before(right, left)) {
        child = right
        down += 1
      }
      if (!before(child, last)) break
      heap[at] = child
      at = down
    }
    heap[at] = last
    return top
  }

  return {
    now: () => now,
    at(time, act) {
      push({ time: Math.max(now, time), order: made++, act })
    },
    async next(until) {
      const first = heap[0]
      if (first === undefined || first.time > until) return false
      pop()
      now = first.time
      await first.act()
      return true
    },
  }
}
