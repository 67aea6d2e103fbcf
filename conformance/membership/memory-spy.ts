/**
 * Looks for a private key in the memory of a running process: `node memory-spy.ts <pid> <key file>` prints how often its private half
 * stands there, as text in either width or as bytes. It is a process of its own, so that whoever asks need not read the key.
 */
import { open, readFile } from 'node:fs/promises'

const CHUNK = 8 * 1024 * 1024
const [pid = '', keyFile = ''] = process.argv.slice(2)
const { d } = JSON.parse(await readFile(keyFile, 'utf8')) as { d: string }
const needles = [Buffer.from(d), Buffer.from(d, 'utf16le'), Buffer.from(d, 'base64url')]
const overlap = Math.max(...needles.map(({ length }) => length)) - 1

await using memory = await open(`/proc/${pid}/mem`, 'r')
let found = 0
for (const line of (await readFile(`/proc/${pid}/maps`, 'utf8')).split('\n')) {
  const [, from = '', to = '', name = ''] = /^([0-9a-f]+)-([0-9a-f]+) rw\S* \S+ \S+ \S+ *(.*)$/.exec(line) ?? []
  if (from === '' || name.startsWith('[v')) continue
  const end = Number.parseInt(to, 16)
  for (let at = Number.parseInt(from, 16); at < end; at += CHUNK) {
    const length = Math.min(CHUNK + overlap, end - at)
    const chunk = Buffer.alloc(length)
    const bytesRead = await memory.read(chunk, 0, length, at).then(
      answer => answer.bytesRead,
      () => 0,
    )
    const bytes = chunk.subarray(0, bytesRead)
    for (const needle of needles) for (let i = bytes.indexOf(needle); i >= 0; i = bytes.indexOf(needle, i + 1)) found += 1
  }
}
process.stdout.write(`${found}\n`)
