/** Material made by others, beside the project and not part of it. A test that needs it skips aloud where it is absent. */
import { existsSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

/** The path of a file or folder of the shared data, or null, said once on standard error. */
export function sharedData(name: string): string | null {
  const path = fileURLToPath(new URL(`../../../shared/data/${name}`, import.meta.url))
  if (existsSync(path)) return path
  process.stderr.write(`skipped: ../shared/data/${name} is not here\n`)
  return null
}
