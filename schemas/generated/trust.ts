// Generated from datasets/trust.schema.json by `npm run codegen`. Do not edit.

/**
 * One entry of a list of trusted certification authorities.
 */
export interface TrustBody {
  /**
   * Identifier of the list that the entry belongs to.
   */
  list_id: string
  /**
   * Name of the certification authority.
   */
  ca_name: string
  /**
   * Kind of service that the entry is about.
   */
  service_type: 'ca' | 'timestamp' | 'seal'
  /**
   * Status of the service.
   */
  status: 'granted' | 'suspended' | 'withdrawn'
  /**
   * Time from which the status holds, with offset.
   */
  status_from: string
  /**
   * Certificates of the service: base64 of DER.
   */
  certificates: string[]
  /**
   * Where revocation lists are published.
   */
  crl_urls?: string[]
  /**
   * Where the status of a certificate can be asked.
   */
  ocsp_urls?: string[]
  /**
   * Territory that the list speaks for: CN or a region code.
   */
  territory: string
}
