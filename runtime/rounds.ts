/**
 * Work that is done again and again: one round at a time, none begun while another runs. A round that fails is told and the next is
 * tried all the same. Disposing begins no more, aborts the signal that the round has, and waits for it.
 */
export function keepRounds(
  everyMs: number,
  round: (stopping: AbortSignal) => Promise<void>,
  failed: (error: unknown) => void,
): AsyncDisposable {
  const stopping = new AbortController()
  let working: Promise<void> = Promise.resolve()
  let busy = false
  const timer = setInterval(() => {
    if (busy) return
    busy = true
    working = round(stopping.signal)
      .catch(failed)
      .finally(() => {
        busy = false
      })
  }, everyMs)
  return {
    async [Symbol.asyncDispose]() {
      clearInterval(timer)
      stopping.abort()
      await working
    },
  }
}
