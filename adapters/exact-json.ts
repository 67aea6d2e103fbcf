/**
 * JSON whose numbers keep their literal. `JSON.parse` turns `11000000.10` into a double; here a number becomes an
 * {@link ExactNumber} that holds the source text, so that amounts reach the record digit by digit.
 */

export class ExactNumber {
  readonly source: string

  constructor(source: string) {
    this.source = source
  }

  /** Printed as it was read; a rebuilt text therefore shows the same digits. */
  toJSON(): unknown {
    return rawJson(this.source)
  }
}

export type ExactJson = string | boolean | null | ExactNumber | readonly ExactJson[] | ExactObject
export type ExactObject = { readonly [name: string]: ExactJson | undefined }

type WithSourceText = {
  parse(text: string, reviver: (name: string, value: unknown, context: { readonly source?: string }) => unknown): ExactJson
  rawJSON(text: string): unknown
}

// ECMAScript "JSON.parse source text access": in Node.js 24, not yet in the checker's library
const json = JSON as unknown as WithSourceText
const rawJson = (text: string): unknown => json.rawJSON(text)

/** @throws SyntaxError where the text is not JSON */
export const parseExactJson = (text: string): ExactJson =>
  json.parse(text, (_name, value, context) =>
    typeof value === 'number' ? new ExactNumber(context.source ?? String(value)) : value,
  )

export const isExactObject = (value: ExactJson | undefined): value is ExactObject =>
  typeof value === 'object' && value !== null && !Array.isArray(value) && !(value instanceof ExactNumber)

/** The text of a string or a number; undefined for everything else. */
export const exactText = (value: ExactJson | undefined): string | undefined =>
  typeof value === 'string' ? value : value instanceof ExactNumber ? value.source : undefined

/** The value without the named members, at any depth. */
export const withoutMembers = (value: ExactJson, names: ReadonlySet<string>): ExactJson => {
  if (Array.isArray(value)) return value.map((item: ExactJson) => withoutMembers(item, names))
  if (!isExactObject(value)) return value
  const kept: { [name: string]: ExactJson } = {}
  for (const [name, member] of Object.entries(value))
    if (member !== undefined && !names.has(name))
      Object.defineProperty(kept, name, { value: withoutMembers(member, names), enumerable: true })
  return kept
}
