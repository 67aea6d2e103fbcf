/**
 * OpenTelemetry, off unless configured. The `OTEL_*` variables belong to its SDK, which reads them itself; only whether any of
 * them asks for an exporter is decided here, because loading the SDK costs more start-up time than the rest of a program.
 * While it is off, tracer and meter are the no-operation ones of the API, so that no caller asks whether it is on.
 */
import { type Context, context, type Meter, metrics, propagation, ROOT_CONTEXT, type Tracer, trace } from '@opentelemetry/api'
import type { Environment } from './environment.ts'

const INSTRUMENTATION = 'hutong'
const SHUTDOWN_WAIT_MS = 3000

/** The W3C Trace Context headers. Baggage is left out: what another member writes there would travel on through us. */
const CARRIED = ['traceparent', 'tracestate']

const EXPORTER =
  /^OTEL_(EXPORTER_OTLP(_(TRACES|METRICS|LOGS))?_ENDPOINT|(TRACES|METRICS|LOGS)_EXPORTER|(EXPERIMENTAL_)?CONFIG_FILE)$/

/** True when a variable names an exporter (`none` is none), or OTEL_SDK_DISABLED is `false`; its `true` overrules them all. */
export const isTelemetryConfigured = (env: Environment): boolean => {
  const disabled = env.OTEL_SDK_DISABLED?.trim().toLowerCase()
  if (disabled === 'true') return false
  if (disabled === 'false') return true
  return Object.entries(env).some(([name, value]) => EXPORTER.test(name) && value !== undefined && value !== '' && value !== 'none')
}

const settled = async (work: Promise<unknown>): Promise<void> => {
  const waited = Promise.withResolvers<void>()
  const timer = setTimeout(waited.resolve, SHUTDOWN_WAIT_MS)
  await Promise.race([work.catch(() => undefined), waited.promise])
  clearTimeout(timer)
}

/** Disposing flushes what is left, and gives up on a collector that does not answer. */
export const startTelemetry = async ({
  serviceName,
  env = process.env,
}: {
  serviceName: string
  env?: Environment
}): Promise<AsyncDisposable> => {
  if (!isTelemetryConfigured(env)) return { [Symbol.asyncDispose]: () => Promise.resolve() }
  const { NodeSDK } = await import('@opentelemetry/sdk-node')
  const sdk = new NodeSDK({ serviceName })
  sdk.start()
  return { [Symbol.asyncDispose]: () => settled(sdk.shutdown()) }
}

export const tracer = (): Tracer => trace.getTracer(INSTRUMENTATION)
export const meter = (): Meter => metrics.getMeter(INSTRUMENTATION)

/** Writes the active trace to the headers of a message; writes nothing while telemetry is off. */
export const injectTrace = (set: (name: string, value: string) => void): void =>
  propagation.inject(context.active(), undefined, {
    set: (_, name, value) => {
      if (CARRIED.includes(name)) set(name, value)
    },
  })

/** The context of the trace that a message or request carries. `get` answers '' or undefined for an absent header. */
export const extractedTrace = (get: (name: string) => string | undefined): Context =>
  propagation.extract(ROOT_CONTEXT, undefined, {
    get: (_, name) => (CARRIED.includes(name) ? get(name) || undefined : undefined),
    keys: () => CARRIED,
  })

/** Runs `fn` inside the trace that a message carries. */
export const withExtractedTrace = <T>(get: (name: string) => string | undefined, fn: () => T): T =>
  context.with(extractedTrace(get), fn)
